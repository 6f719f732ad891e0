import { describe, expect, test } from "vitest";
import { arraysOf, valuesOf } from "../../test/support/reference.ts";
import { erf } from "../backend/reference/erf.ts";
import { RandomStream, normalRows, threefry2x32 } from "./random.ts";
import { full, iota, scalar } from "./tensor.ts";

const word = (value: number) => scalar(value, "u32");
const streamOf = (seed: number, step = 0): RandomStream => new RandomStream([word(seed), word(step)]);

describe("threefry2x32", () => {
  // The known answers that Random123 publishes for 20 rounds.
  test.for([
    { counter: [0, 0], key: [0, 0], expected: [0x6b200159, 0x99ba4efe] },
    { counter: [0xffffffff, 0xffffffff], key: [0xffffffff, 0xffffffff], expected: [0x1cb996fc, 0xbb002be7] },
    { counter: [0x243f6a88, 0x85a308d3], key: [0x13198a2e, 0x03707344], expected: [0xc4923a9c, 0x483df7a0] },
  ])("gives the published words for counter $counter", async ({ counter, key, expected }) => {
    const words = threefry2x32([word(key[0]), word(key[1])], [word(counter[0]), word(counter[1])]);
    const [a, b] = await arraysOf(words);
    expect([a.data[0], b.data[0]]).toEqual(expected);
  });

  test("works on whole tensors as on single words", async () => {
    const [words] = threefry2x32([word(1), word(2)], [iota([5], 0, "u32"), word(7)]);
    const [single] = threefry2x32([word(1), word(2)], [word(3), word(7)]);
    expect((await valuesOf(words))[3]).toBe((await valuesOf(single))[0]);
  });
});

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const moment = (values: readonly number[], order: number): number => mean(values.map((x) => x ** order));

/** The largest distance between the values' distribution and `cumulative`, times the root of their number. */
function kolmogorovSmirnov(values: readonly number[], cumulative: (x: number) => number): number {
  const n = values.length;
  const distances = values
    .toSorted((a, b) => a - b)
    .map((x, i) => Math.max(Math.abs(cumulative(x) - i / n), Math.abs(cumulative(x) - (i + 1) / n)));
  return Math.max(...distances) * Math.sqrt(n);
}

/** What the statistic exceeds in one sample of a thousand. */
const CRITICAL = 1.95;
const COUNT = 20000;

describe("random rows", () => {
  const draw = (rows: number, firstRow: number, seed = 1) =>
    valuesOf(normalRows([word(seed), word(2)], word(firstRow), [rows, 2, 5]));

  test("are standard normal, and the same whichever are drawn with them", async () => {
    const whole = await draw(2000, 0);
    expect(kolmogorovSmirnov(whole, (x) => (1 + erf(x * Math.SQRT1_2)) / 2)).toBeLessThan(CRITICAL);
    expect(await draw(3, 1234)).toEqual(whole.slice(12340, 12370));
  });

  test("are others for another key, and for any row below 2^32", async () => {
    const drawn = [await draw(1, 0), await draw(1, 0, 2), await draw(1, 2 ** 31), await draw(1, 2 ** 32 - 1)];
    expect(new Set(drawn.map(String)).size).toBe(4);
  });
});

describe("a random stream", () => {
  test("draws uniform numbers that are multiples of 2^-24 in [0, 1)", async () => {
    const values = await valuesOf(streamOf(1).uniform([COUNT]));
    expect(values.every((x) => x >= 0 && x < 1 && Number.isInteger(x * 2 ** 24))).toBe(true);
    expect(kolmogorovSmirnov(values, (x) => x)).toBeLessThan(CRITICAL);
  });

  test("draws standard normal numbers", async () => {
    const values = await valuesOf(streamOf(2).normal([COUNT]));
    expect(kolmogorovSmirnov(values, (x) => (1 + erf(x * Math.SQRT1_2)) / 2)).toBeLessThan(CRITICAL);
    // Four standard errors of each moment: those of x, x^2, x^3 and x^4 are 1, sqrt 2, sqrt 15 and sqrt 96.
    const within = 4 / Math.sqrt(COUNT);
    expect(Math.abs(mean(values))).toBeLessThan(within);
    expect(Math.abs(moment(values, 2) - 1)).toBeLessThan(within * Math.sqrt(2));
    expect(Math.abs(moment(values, 3))).toBeLessThan(within * Math.sqrt(15));
    expect(Math.abs(moment(values, 4) - 3)).toBeLessThan(within * Math.sqrt(96));
    expect(values.every(Number.isFinite)).toBe(true);
  });

  test("draws neighbours that are not correlated", async () => {
    const values = await valuesOf(streamOf(3).normal([COUNT]));
    const products = values.slice(1).map((x, i) => x * values[i]);
    expect(Math.abs(mean(products))).toBeLessThan(4 / Math.sqrt(COUNT));
  });

  test("draws integers below a limit, each equally often", async () => {
    const values = await valuesOf(streamOf(4).integers([COUNT], 7));
    const counts = Array.from({ length: 7 }, (_, n) => values.filter((x) => x === n).length);
    expect(counts.reduce((a, b) => a + b)).toBe(COUNT);
    // Chi-squared with 6 degrees of freedom exceeds 22.5 once in a thousand.
    const expected = COUNT / 7;
    expect(counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)).toBeLessThan(22.5);
  });

  test("is the same for the same key, and another for another key", async () => {
    const draw = (stream: RandomStream) => valuesOf(stream.bits([8])[0]);
    expect(await draw(streamOf(5, 1))).toEqual(await draw(streamOf(5, 1)));
    expect(await draw(streamOf(5, 1))).not.toEqual(await draw(streamOf(6, 1)));
    expect(await draw(streamOf(5, 1))).not.toEqual(await draw(streamOf(5, 2)));
  });

  test("draws other numbers at every call", async () => {
    const stream = streamOf(7);
    const first = await valuesOf(stream.normal([1000]));
    const second = await valuesOf(stream.normal([1000]));
    expect(Math.abs(mean(first.map((x, i) => x * second[i])))).toBeLessThan(4 / Math.sqrt(1000));
  });

  test("has the shapes that are asked for", () => {
    expect(streamOf(1).normal([2, 3, 4]).shape).toEqual([2, 3, 4]);
    expect(streamOf(1).uniform([]).shape).toEqual([]);
    expect(streamOf(1).integers([0, 2], 3)).toMatchObject({ shape: [0, 2], dtype: "i32" });
  });

  test("refuses limits that a 24-bit number cannot reach", () => {
    const message = "integers: limit must be a whole number from 1 to 16777216, got";
    expect(() => streamOf(1).integers([1], 0)).toThrow(`${message} 0`);
    expect(() => streamOf(1).integers([1], 2.5)).toThrow(`${message} 2.5`);
    expect(() => streamOf(1).integers([1], 2 ** 25)).toThrow(`${message} 33554432`);
  });

  test("draws the rows of a larger tensor from the one on that it is told", async () => {
    const draw = (rows: number, firstRow?: number) => {
      const stream = new RandomStream([word(9), word(4)], firstRow === undefined ? undefined : word(firstRow));
      stream.uniform([rows]);
      return valuesOf(stream.normal([rows, 2, 3]));
    };
    const whole = await draw(6);
    expect(await draw(6, 0)).toEqual(whole);
    expect(await draw(2, 3)).toEqual(whole.slice(3 * 6, 5 * 6));
  });

  test("takes its key from the program, so that each step draws anew", async () => {
    const step = full([], 3, "u32").add(1);
    const values = await valuesOf(new RandomStream([word(9), step]).uniform([4]));
    expect(values).toEqual(await valuesOf(streamOf(9, 4).uniform([4])));
  });
});
