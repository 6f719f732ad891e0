import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { averagePool } from "../tensor/functions/functions.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { GELU } from "./activations.ts";
import { Random, normal, xavierUniform, zeros } from "./init.ts";
import { LayerNorm } from "./layer-norm.ts";
import { Linear } from "./linear.ts";
import { PointwiseConv1d } from "./pointwise-conv1d.ts";
import { timestepEmbedding } from "./position-embeddings.ts";
import { SelfAttention } from "./attention/self-attention.ts";

describe("LayerNorm", () => {
  const x = ndarray([1, 3, 5, 7, -2, 0, 2, 4], [2, 4]);

  test("gives every row mean 0 and variance 1, then a weight and a bias", async () => {
    const norm = new LayerNorm(4);
    await norm.loadStateDict(
      new Map([
        ["weight", ndarray([1, 2, 3, 4], [4])],
        ["bias", ndarray([0, 0, 0, 10], [4])],
      ]),
    );
    const y = await evaluate((x) => norm.forward(x), x);
    // Both rows have variance 5.
    const expected = [-3, -2, 3, 12, -3, -2, 3, 12].map((value, i) => {
      return value / Math.sqrt(5 + 1e-5) + (i % 4 === 3 ? 10 : 0);
    });
    expect(largestDifference(y.data, expected)).toBeLessThan(2e-6);
  });

  test("has no parameters without elementwiseAffine", async () => {
    const norm = new LayerNorm(4, { epsilon: 11, elementwiseAffine: false });
    expect(norm.parameterCount()).toBe(0);
    const y = await evaluate((x) => norm.forward(x), x);
    expect(
      largestDifference(
        y.data,
        [-3, -1, 1, 3, -3, -1, 1, 3].map((value) => value / 4),
      ),
    ).toBeLessThan(1e-6);
  });

  test("refuses what does not fit", async () => {
    expect(() => new LayerNorm(0)).toThrow("LayerNorm: dim must be a whole number of at least 1, got 0");
    expect(() => new LayerNorm(4, { epsilon: -1 })).toThrow("LayerNorm: epsilon must be above 0, got -1");
    const norm = new LayerNorm(3);
    await expect(evaluate((x) => norm.forward(x), x)).rejects.toThrow("LayerNorm: input must be [..., 3], got [2,4]");
  });
});

test("GELU approximated by tanh has PyTorch's values", async () => {
  const gelu = new GELU({ approximate: "tanh" });
  const y = await evaluate((x) => gelu.forward(x), ndarray([-3, -1, 0, 1, 2], [5]));
  expect(largestDifference(y.data, [-0.00363739208, -0.15880800939, 0, 0.84119199061, 1.95459769409])).toBeLessThan(
    2e-7,
  );
});

describe("timestepEmbedding", () => {
  test("is cosines, then sines, of t over frequencies from 1 towards 1/10000", async () => {
    const y = await evaluate((t) => timestepEmbedding(t, 4), ndarray([0, 7], [2], "i32"));
    const angles = [7, 0.07];
    expect(largestDifference(y.data, [1, 1, 0, 0, ...angles.map(Math.cos), ...angles.map(Math.sin)])).toBeLessThan(
      1e-6,
    );
  });

  test("ends in a zero where dim is odd", async () => {
    const y = await evaluate((t) => timestepEmbedding(t, 5), ndarray([7.5], [1], "f32"));
    const angles = [7.5, 0.075];
    expect(y.shape).toEqual([1, 5]);
    expect(largestDifference(y.data, [...angles.map(Math.cos), ...angles.map(Math.sin), 0])).toBeLessThan(1e-6);
  });
});

describe("averagePool", () => {
  test("takes the mean of each block of pixels", async () => {
    const x = ndarray([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4, 1]);
    expect([...(await evaluate((x) => averagePool(x), x)).data]).toEqual([3.5, 5.5]);
  });

  test("refuses sides that do not divide", async () => {
    const x = ndarray([1, 2, 3], [1, 1, 3, 1]);
    await expect(evaluate((x) => averagePool(x), x)).rejects.toThrow(
      "averagePool: height and width must be divisible by 2, got 1 x 3",
    );
  });
});

test("PointwiseConv1d is a linear layer with a Conv1d's weight", async () => {
  const [conv, linear] = [new PointwiseConv1d(2, 3), new Linear(2, 3)];
  const state = await linear.stateDict();
  const weight = state.get("weight");
  if (weight) state.set("weight", { ...weight, shape: [3, 2, 1] });
  await conv.loadStateDict(state);
  const x = ndarray([1, -2, 3, 0.5], [1, 2, 2]);
  expect(await evaluate((x) => conv.forward(x), x)).toEqual(await evaluate((x) => linear.forward(x), x));
  await expect(evaluate((x) => conv.forward(x), ndarray([1], [1, 1, 1]))).rejects.toThrow(
    "PointwiseConv1d: input must be [..., 2], got [1,1,1]",
  );
});

test("SelfAttention refuses heads and inputs that do not fit", async () => {
  expect(() => new SelfAttention(6, { heads: 4 })).toThrow("dim must be divisible by heads, got 6 and 4");
  const attention = new SelfAttention(4, { heads: 2 });
  await expect(evaluate((x) => attention.forward(x), ndarray([1, 2], [1, 1, 2]))).rejects.toThrow(
    "SelfAttention: input must be f32 [batch, length, 4], got f32 [1,1,2]",
  );
});

describe("initial values", () => {
  const deviationOf = (values: ArrayLike<number>) =>
    Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0) / values.length);

  test("of xavierUniform are uniform in ±sqrt(6 / (in + out)), also for filters", async () => {
    const data = await xavierUniform("w", [50, 30, 2, 2], new Random(1)).read();
    const bound = Math.sqrt(6 / (50 + 120));
    expect(Math.max(...Array.from(data, Math.abs))).toBeLessThanOrEqual(bound);
    // Four standard errors of the deviation of 6,000 uniform numbers.
    expect(Math.abs(deviationOf(data) / (bound / Math.sqrt(3)) - 1)).toBeLessThan(4 * Math.sqrt(0.2 / 6000));
  });

  test("of normal have their deviation", async () => {
    const data = await normal(0.02)("w", [6000], new Random(1)).read();
    expect(Math.abs(deviationOf(data) / 0.02 - 1)).toBeLessThan(4 * Math.sqrt(0.5 / 6000));
  });

  test("are what a layer is told", async () => {
    const linear = new Linear(3, 2, { biasInit: zeros, random: new Random(1) });
    expect(await linear.bias?.read()).toEqual(new Float32Array(2));
    expect(await linear.weight.read()).toEqual(await new Linear(3, 2, { random: new Random(1) }).weight.read());
  });
});
