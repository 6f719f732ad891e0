import { describe, expect, test } from "vitest";
import { geometricMean, medianOf, spreadOf } from "./statistics.ts";

describe("the median", () => {
  test("is the middle sample, whatever their order", () => {
    expect(medianOf([5, 1, 3])).toBe(3);
    expect(medianOf([10, 9, 100])).toBe(10);
  });

  test("of an even number is the mean of the two in the middle", () => {
    expect(medianOf([4, 1, 2, 100])).toBe(3);
  });
});

describe("a spread", () => {
  test("is median and range, and leaves the samples as they are", () => {
    const samples = [3, 1, 2];
    expect(spreadOf(samples)).toEqual({ median: 2, min: 1, max: 3 });
    expect(samples).toEqual([3, 1, 2]);
  });

  test("of nothing, or of what is no number, is refused", () => {
    expect(() => spreadOf([])).toThrow("spreadOf: needs at least one sample, got none");
    expect(() => spreadOf([1, Number.NaN])).toThrow("spreadOf: samples must be finite, got NaN");
  });
});

test("the geometric mean of ratios is the ratio that, taken as often, has the same product", () => {
  expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
  expect(geometricMean([0.5, 2, 1])).toBeCloseTo(1, 12);
});
