import { expect, test } from "vitest";
import { loadSharp } from "../../io/images.node.ts";
import { lossCurve } from "./loss-curve.ts";

/** The rows in which a column of a picture is blue. */
async function blueRows(svg: string, column: number): Promise<number[]> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return Array.from({ length: info.height }, (_, row) => row).filter((row) => {
    const [r, , b] = data.subarray((row * info.width + column) * info.channels);
    return b > r + 100;
  });
}

test("an exponential falls along a straight line, from the first step to the last", async () => {
  const svg = lossCurve(
    Array.from({ length: 40 }, (_, i) => ({ step: i + 1, loss: 10 ** (-i / 39) })),
    "a < b & c",
  );
  const middle = async (column: number) => {
    const rows = await blueRows(svg, column);
    return rows.reduce((sum, row) => sum + row, 0) / rows.length;
  };
  const [left, centre, right] = await Promise.all([middle(120), middle(400), middle(680)]);
  expect(right - left).toBeGreaterThan(200);
  expect(Math.abs(centre - (left + right) / 2)).toBeLessThan(1);
  // Step 1 is one fortieth into the plot, which is 644 pixels wide.
  expect(await blueRows(svg, 56 + 12)).toEqual([]);
  expect(await blueRows(svg, 56 + 20)).not.toEqual([]);
});

test("labels a wide range with 1, 2 and 5, a narrow one evenly, and whole steps", () => {
  const labels = (losses: readonly number[]) => {
    const svg = lossCurve(
      losses.map((loss, i) => ({ step: i + 1, loss })),
      "loss",
    );
    return [...svg.matchAll(/>([\d.e-]+)<\/text>/g)].map(([, label]) => Number(label));
  };
  expect(labels([1, 0.04, 0.04])).toEqual([0.05, 0.1, 0.2, 0.5, 1, 0, 1, 2, 3]);
  expect(labels([0.08, 0.06])).toEqual([0.06, 0.065, 0.07, 0.075, 0.08, 0, 1, 2]);
  // One step, and no loss at all, still have a picture.
  expect(labels([1])).toContain(1);
  expect(labels([0, 0]).every(Number.isFinite)).toBe(true);
});
