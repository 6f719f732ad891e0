import { expect, test } from "vitest";
import { emaRateAt } from "./ema.ts";

test("the average warms up, then moves at its own rate", () => {
  const schedule = { emaDecay: 0.99, emaUpdateEvery: 1 };
  const decays = [0, 1, 2, 89, 890, 891, 10_000].map((step) => 1 - emaRateAt(step, schedule));
  const expected = [1 / 10, 2 / 11, 3 / 12, 90 / 99, 0.99, 0.99, 0.99];
  for (const [i, decay] of decays.entries()) expect(decay).toBeCloseTo(expected[i], 12);
});

test("the average rests between its moves and warms up by their number", () => {
  const schedule = { emaDecay: 0.995, emaUpdateEvery: 10 };
  expect([10, 11, 18].map((step) => emaRateAt(step, schedule))).toEqual([0, 0, 0]);
  // Until its first move it is the parameters: a run of fewer steps draws with what it has learned.
  expect([0, 1, 8].map((step) => emaRateAt(step, schedule))).toEqual([1, 1, 1]);
  expect(emaRateAt(9, schedule)).toBeCloseTo(0.9, 12);
  expect(emaRateAt(19, schedule)).toBeCloseTo(9 / 11, 12);
});
