import { expect, test } from "vitest";
import { loadSharp } from "../../io/images/images.node.ts";
import { lossCurve } from "./loss-curve.ts";
import { lossHistory } from "./loss-history.ts";

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
  const lines = Array.from({ length: 40 }, (_, i) => ({ step: i + 1, loss: 10 ** (-i / 39) }));
  const svg = lossCurve(await lossHistory(lines), "a < b & c");
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

test("labels a wide range with 1, 2 and 5, a narrow one evenly, and whole steps", async () => {
  const labels = async (losses: readonly number[]) => {
    const svg = lossCurve(await lossHistory(losses.map((loss, i) => ({ step: i + 1, loss }))), "loss");
    return [...svg.matchAll(/>([\d.e-]+)<\/text>/g)].map(([, label]) => Number(label));
  };
  expect(await labels([1, 0.04, 0.04])).toEqual([0.05, 0.1, 0.2, 0.5, 1, 0, 1, 2, 3]);
  expect(await labels([0.08, 0.06])).toEqual([0.06, 0.065, 0.07, 0.075, 0.08, 0, 1, 2]);
  // One step, and no loss at all, still have a picture.
  expect(await labels([1])).toContain(1);
  expect((await labels([0, 0])).every(Number.isFinite)).toBe(true);
});

test("a long run's picture is small and shows what a short one's does", async () => {
  const falling = (steps: number) =>
    Array.from({ length: steps }, (_, i) => ({ step: i + 1, loss: 10 ** (-i / (steps - 1)) }));
  const [short, long] = await Promise.all([40, 300_000].map(async (steps) => lossHistory(falling(steps))));
  expect(long.reduce((sum, { steps }) => sum + steps, 0)).toBe(300_000);
  const svg = lossCurve(long, "loss");
  expect(svg.length).toBeLessThan(100_000);
  for (const column of [120, 400, 680]) {
    const [here, there] = [await blueRows(svg, column), await blueRows(lossCurve(short, "loss"), column)];
    expect(Math.abs(here[0] - there[0])).toBeLessThan(6);
  }
});

test("one outlier in a long run is still drawn", async () => {
  const losses = Array.from({ length: 50_000 }, (_, i) => ({ step: i + 1, loss: i === 31_234 ? 40 : 0.1 }));
  const history = await lossHistory(losses);
  expect(history.length).toBeLessThanOrEqual(2048);
  expect(Math.max(...history.map(({ high }) => high))).toBe(40);
  expect(lossCurve(history, "loss")).toContain(">20</text>");
});
