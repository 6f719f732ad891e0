import { describe, expect, test } from "vitest";
import { learningRateAt } from "./learning-rate.ts";
import type { LearningRateSchedule } from "./learning-rate.ts";

const constant: LearningRateSchedule = {
  learningRate: 2e-3,
  learningRateSchedule: "constant",
  warmupSteps: 0,
  finalLearningRateFraction: 0.1,
};

describe("the learning rate", () => {
  test("stays where no schedule moves it", () => {
    expect([0, 1, 500, 10_000].map((step) => learningRateAt(step, 1000, constant))).toEqual([2e-3, 2e-3, 2e-3, 2e-3]);
  });

  test("rises linearly and reaches its full value with the last step of the rise", () => {
    const schedule = { ...constant, warmupSteps: 4 };
    expect([0, 1, 2, 3, 4].map((step) => learningRateAt(step, 1000, schedule))).toEqual([
      0.5e-3, 1e-3, 1.5e-3, 2e-3, 2e-3,
    ]);
  });

  test("follows half a cosine from the full rate to the final fraction", () => {
    const schedule = { ...constant, learningRateSchedule: "cosine", warmupSteps: 50 } as const;
    expect(learningRateAt(50, 1050, schedule)).toBe(2e-3);
    expect(learningRateAt(550, 1050, schedule)).toBeCloseTo(2e-3 * 0.55, 12);
    expect(learningRateAt(300, 1050, schedule)).toBeCloseTo(2e-3 * (0.1 + 0.9 * (0.5 + Math.SQRT1_2 / 2)), 12);
    expect(learningRateAt(1050, 1050, schedule)).toBeCloseTo(2e-4, 12);
    expect(learningRateAt(5000, 1050, schedule)).toBeCloseTo(2e-4, 12);
  });

  test("is a number where the rise takes the whole run", () => {
    const schedule = { ...constant, learningRateSchedule: "cosine", warmupSteps: 10 } as const;
    expect(learningRateAt(9, 10, schedule)).toBe(2e-3);
    expect(learningRateAt(12, 10, schedule)).toBeCloseTo(2e-4, 12);
  });
});
