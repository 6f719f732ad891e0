import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { Attention, LinearAttention } from "./attention.ts";
import { GroupNorm } from "../group-norm.ts";

const [batch, height, width, dim, heads, dimHead] = [2, 3, 2, 5, 3, 4];
const pixels = height * width;
const hidden = heads * dimHead;

type Matrix = number[][];

const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const transposed = (a: Matrix): Matrix => a[0].map((_, j) => a.map((row) => row[j]));
const softmaxRows = (a: Matrix): Matrix =>
  a.map((row) => {
    const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
    return row.map((value) => Math.exp(value) / total);
  });
const rowsOf = (data: ArrayLike<number>, columns: number): Matrix =>
  Array.from({ length: data.length / columns }, (_, i) =>
    Array.from({ length: columns }, (_, j) => data[i * columns + j]),
  );

/** Attends per image and head as the papers write it: q, k, v are [pixels, dimHead]. */
async function attendNaively(
  layer: Attention | LinearAttention,
  x: ArrayLike<number>,
  attend: (q: Matrix, k: Matrix, v: Matrix) => Matrix,
): Promise<Matrix> {
  const { data: weight } = (await layer.toQkv.stateDict()).get("weight") ?? ndarray([], [0]);
  const images = rowsOf(x, pixels * dim).map((image) => rowsOf(image, dim));
  return images.flatMap((image) => {
    const qkv = product(image, transposed(rowsOf(weight, dim)));
    const part = (which: number, head: number): Matrix =>
      qkv.map((row) => row.slice(which * hidden + head * dimHead, which * hidden + (head + 1) * dimHead));
    const perHead = Array.from({ length: heads }, (_, head) => attend(part(0, head), part(1, head), part(2, head)));
    return image.map((_, pixel) => perHead.flatMap((out) => out[pixel]));
  });
}

describe("Attention", () => {
  test("is softmax(q k^T / sqrt(d)) v per head, then a 1x1 convolution", async () => {
    const x = new Random(1).array([batch, height, width, dim]);
    const layer = new Attention(dim, { heads, dimHead });
    const y = await evaluate((x) => layer.forward(x), x);
    const joined = await attendNaively(layer, x.data, (q, k, v) => {
      const similarity = product(q, transposed(k)).map((row) => row.map((value) => value / Math.sqrt(dimHead)));
      return product(softmaxRows(similarity), v);
    });
    const image = ndarray(joined.flat(), [batch, height, width, hidden]);
    const expected = await evaluate((x) => layer.toOut.forward(x), image);
    expect(y.shape).toEqual([batch, height, width, dim]);
    expect(largestDifference(y.data, expected.data)).toBeLessThan(2e-6);
  });

  test("stays finite where the similarities are large", async () => {
    const x = ndarray(
      new Random(2).array([1, 2, 2, dim]).data.map((value) => value * 1e3),
      [1, 2, 2, dim],
    );
    for (const layer of [new Attention(dim), new LinearAttention(dim)]) {
      const y = await evaluate((x) => layer.forward(x), x);
      expect([...y.data].every(Number.isFinite)).toBe(true);
    }
  });
});

describe("LinearAttention", () => {
  test("is q (k^T v) with both normalized, then a 1x1 convolution and a norm", async () => {
    const x = new Random(3).array([batch, height, width, dim]);
    const layer = new LinearAttention(dim, { heads, dimHead });
    const y = await evaluate((x) => layer.forward(x), x);
    const joined = await attendNaively(layer, x.data, (q, k, v) => {
      // k is normalized over the pixels: rows of its transpose.
      const context = product(softmaxRows(transposed(k)), v);
      const scaled = softmaxRows(q).map((row) => row.map((value) => value / Math.sqrt(dimHead)));
      return product(scaled, context);
    });
    const image = ndarray(joined.flat(), [batch, height, width, hidden]);
    const expected = await evaluate((x) => layer.toOut.forward(x), image);
    expect(largestDifference(y.data, expected.data)).toBeLessThan(1e-5);
  });

  test("ends in a normalization over all channels", () => {
    const [, norm] = new LinearAttention(dim).toOut.layers;
    expect(norm).toBeInstanceOf(GroupNorm);
    expect(norm).toMatchObject({ groups: 1 });
  });

  test("has 4 heads of 32 channels unless told otherwise", () => {
    expect(new LinearAttention(dim).toQkv.weight.shape).toEqual([3 * 4 * 32, dim, 1, 1]);
    expect(() => new LinearAttention(dim, { heads: 0 })).toThrow("LinearAttention: heads must be a whole number");
  });
});
