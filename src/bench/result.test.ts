import { expect, test } from "vitest";
import { benchResult } from "./result.ts";

test("the ratio is the best peer's median over ours", () => {
  const result = benchResult(
    "step",
    "s",
    [2, 1, 3],
    [
      { name: "slow", counts: true, samples: [9, 8, 10] },
      { name: "fast", counts: true, samples: [5, 4, 6] },
    ],
  );
  expect(result).toEqual({
    name: "step",
    unit: "s",
    ours: { median: 2, min: 1, max: 3 },
    peers: {
      slow: { median: 9, min: 8, max: 10, counts: true },
      fast: { median: 5, min: 4, max: 6, counts: true },
    },
    ratio: 2.5,
  });
});

test("a peer of less precision is shown but is none to be ahead of", () => {
  const rough = { name: "rough", counts: false, samples: [1] };
  expect(benchResult("step", "s", [2], [rough]).ratio).toBe(null);
  expect(benchResult("step", "s", [2], [rough, { name: "exact", counts: true, samples: [6] }]).ratio).toBe(3);
});

test("without peers there is no ratio", () => {
  expect(benchResult("step", "s", [2])).toEqual({
    name: "step",
    unit: "s",
    ours: { median: 2, min: 2, max: 2 },
    peers: {},
    ratio: null,
  });
});
