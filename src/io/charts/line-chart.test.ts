import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { saveChart } from "./charts.node.ts";
import { lineChart } from "./line-chart.ts";

/** The points of the n-th line of a chart. */
function pointsOf(svg: string, n: number): number[][] {
  const paths = [...svg.matchAll(/<path stroke="[^"]*" stroke-width="[\d.]+" d="M([\d. L-]+)"/g)];
  return paths[n][1].split("L").map((point) => point.split(" ").map(Number));
}

describe("lineChart", () => {
  test("places x evenly, and y evenly or by its logarithm", () => {
    const powers = { x: [1, 10, 100], y: [1, 0.1, 0.01] };
    const [first, second, third] = pointsOf(lineChart({ lines: [powers], isLogarithmic: true }), 0);
    expect((third[0] - second[0]) / (second[0] - first[0])).toBeCloseTo(10, 1);
    expect(third[1] - second[1]).toBeCloseTo(second[1] - first[1], 0);
    expect(third[1]).toBeGreaterThan(first[1]);
    const even = pointsOf(lineChart({ lines: [{ y: [0, 1, 3] }] }), 0);
    expect((even[1][1] - even[2][1]) / (even[0][1] - even[1][1])).toBeCloseTo(2, 2);
  });

  test("shares one scale between lines, names them, and draws dots", () => {
    const svg = lineChart({
      lines: [{ name: "a < b", y: [0, 1] }, { y: [0, 2] }, { name: "dots", y: [1, 1], isDots: true }],
    });
    expect(pointsOf(svg, 0)[0]).toEqual(pointsOf(svg, 1)[0]);
    expect(svg).toContain(">a &lt; b</text>");
    expect(svg.match(/<circle/g)).toHaveLength(3);
  });

  test("has a picture for one point, and for a line that does not move", () => {
    for (const svg of [lineChart({ lines: [{ y: [3] }] }), lineChart({ lines: [{ y: [2, 2, 2] }] })]) {
      expect(svg).not.toContain("NaN");
      expect(svg).not.toContain("Infinity");
    }
  });

  test("refuses what has no place, in one line", () => {
    expect(() => lineChart({ lines: [] })).toThrow("lineChart: needs at least one line, got none");
    expect(() => lineChart({ lines: [{ name: "loss", y: [] }] })).toThrow("lineChart: loss needs at least one point");
    expect(() => lineChart({ lines: [{ y: [1, 2], x: [1] }] })).toThrow("lineChart: line 0 has 2 y, and 1 x");
    expect(() => lineChart({ lines: [{ y: [1, NaN] }] })).toThrow("lineChart: line 0 must be finite, got NaN");
    expect(() => lineChart({ lines: [{ y: [1, 0] }], isLogarithmic: true })).toThrow("must be above 0");
    expect(() => lineChart({ lines: [{ y: [1] }], xlabel: "step" } as never)).toThrow("xLabel");
  });
});

test("saveChart writes an SVG file, and refuses other names before it writes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "unnoise-chart-"));
  try {
    await saveChart(join(folder, "a.svg"), { lines: [{ y: [1, 2] }] });
    await expect(saveChart(join(folder, "a.png"), { lines: [{ y: [1, 2] }] })).rejects.toThrow("must end in .svg");
    expect(await readdir(folder)).toEqual(["a.svg"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
