import { describe, expect, test } from "vitest";
import { Random } from "../../../test/support/random.ts";
import { arraysOf, tensorOf, valuesOf } from "../../../test/support/reference.ts";
import { convolvedSize } from "../../tensor/infer.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { ConvolutionWindow } from "../../tensor/op.ts";
import { Tensor, dotGeneral, full, iota, literal } from "../../tensor/tensor.ts";

describe("reduce", () => {
  const x = tensorOf([1, 5, 2, -3, 0, 4], [2, 3]);

  test("runs over the named axes", async () => {
    expect(await valuesOf(x.sum(0))).toEqual([-2, 5, 6]);
    expect(await valuesOf(x.max(1))).toEqual([5, 4]);
    expect(await valuesOf(x.min())).toEqual([-3]);
  });

  test("of nothing gives the identity", async () => {
    const none = full([2, 0], 1);
    expect(await valuesOf(none.sum(1))).toEqual([0, 0]);
    expect(await valuesOf(none.max(1))).toEqual([-Infinity, -Infinity]);
    expect(await valuesOf(none.min(1))).toEqual([Infinity, Infinity]);
    expect(await valuesOf(full([0], 1, "i32").max())).toEqual([-(2 ** 31)]);
    expect(await valuesOf(full([0], 1, "u32").min())).toEqual([2 ** 32 - 1]);
  });

  test("passes NaN on", async () => {
    const y = tensorOf([1, NaN, 3]);
    for (const reduced of [y.sum(), y.max(), y.min()]) expect(await valuesOf(reduced)).toEqual([NaN]);
  });

  test("adds up in float64: a million tenths are 100000", async () => {
    expect((await valuesOf(full([1000, 1000], 0.1).sum()))[0]).toBe(Math.fround(1e6 * Math.fround(0.1)));
    expect(await valuesOf(tensorOf([1e8, 1, -1e8]).sum())).toEqual([1]);
  });

  test("wraps sums of integers", async () => {
    expect(await valuesOf(full([3], 2 ** 31 - 1, "i32").sum())).toEqual([2 ** 31 - 3]);
    expect(await valuesOf(full([2], 2 ** 31, "u32").sum())).toEqual([0]);
  });
});

describe("dot_general", () => {
  test("puts batch axes first, then the free axes of both sides", async () => {
    const a = iota([2 * 3 * 4], 0, "f32").reshape([2, 3, 4]);
    const b = iota([4 * 5 * 3], 0, "f32").reshape([4, 5, 3]);
    const dimensions = { lhsBatch: [1], rhsBatch: [2], lhsContract: [2], rhsContract: [0] };
    const [{ data, shape }] = await arraysOf([dotGeneral(a, b, dimensions)]);
    expect(shape).toEqual([3, 2, 5]);
    const at = (batch: number, i: number, j: number): number =>
      [0, 1, 2, 3].reduce((sum, k) => sum + ((i * 3 + batch) * 4 + k) * ((k * 5 + j) * 3 + batch), 0);
    const expected = [0, 1, 2].flatMap((n) => [0, 1].flatMap((i) => [0, 1, 2, 3, 4].map((j) => at(n, i, j))));
    expect(Array.from(data)).toEqual(expected);
  });

  test("of nothing to contract is the product of all pairs, and of an empty axis zero", async () => {
    const none = { lhsBatch: [], rhsBatch: [], lhsContract: [], rhsContract: [] };
    expect(await valuesOf(dotGeneral(tensorOf([1, 2]), tensorOf([3, 4, 5]), none))).toEqual([3, 4, 5, 6, 8, 10]);
    expect(await valuesOf(full([2, 0], 1).matmul(full([0, 2], 1)))).toEqual([0, 0, 0, 0]);
  });
});

/** The definition, element by element, with the image's dilated pixels and padding written out. */
function plainConvolution(x: NdArray, w: NdArray, window: ConvolutionWindow): number[] {
  const [batch, height, width, channels] = x.shape;
  const [kernelHeight, kernelWidth, , outChannels] = w.shape;
  const outHeight = convolvedSize(height, kernelHeight, window, 0);
  const outWidth = convolvedSize(width, kernelWidth, window, 1);
  const pixel = (n: number, row: number, column: number, c: number): number => {
    const [i, j] = [row / window.lhsDilation[0], column / window.lhsDilation[1]];
    const inside = Number.isInteger(i) && Number.isInteger(j) && i >= 0 && j >= 0 && i < height && j < width;
    return inside ? x.data[((n * height + i) * width + j) * channels + c] : 0;
  };
  const result: number[] = [];
  for (let n = 0; n < batch; n++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        for (let o = 0; o < outChannels; o++) {
          let sum = 0;
          for (let i = 0; i < kernelHeight; i++) {
            for (let j = 0; j < kernelWidth; j++) {
              const at = row * window.strides[0] + i * window.rhsDilation[0] - window.padding[0][0];
              const across = column * window.strides[1] + j * window.rhsDilation[1] - window.padding[1][0];
              for (let c = 0; c < channels; c++) {
                sum += pixel(n, at, across, c) * w.data[((i * kernelWidth + j) * channels + c) * outChannels + o];
              }
            }
          }
          result.push(Math.fround(sum));
        }
      }
    }
  }
  return result;
}

describe("convolution", () => {
  test("is its definition for any strides, padding and dilations", async () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(seed);
      const pair = (low: number, high: number): [number, number] => [
        random.integer(low, high),
        random.integer(low, high),
      ];
      const window: ConvolutionWindow = {
        strides: pair(1, 3),
        padding: [pair(-2, 3), pair(-2, 3)],
        lhsDilation: pair(1, 3),
        rhsDilation: pair(1, 3),
      };
      const channels = random.integer(0, 3);
      const x = random.array([random.integer(1, 2), random.integer(1, 7), random.integer(1, 7), channels]);
      const w = random.array([random.integer(1, 3), random.integer(1, 3), channels, random.integer(1, 3)]);
      const tensor = new Tensor({ kind: "convolution", ...window }, [literal(x), literal(w)]);
      expect(await valuesOf(tensor)).toEqual(plainConvolution(x, w, window));
    }
  });

  test("crops the image where padding is negative", async () => {
    const x = iota([5], 0, "f32").reshape([1, 1, 5, 1]);
    const one = full([1, 1, 1, 1], 1);
    const window = { strides: [1, 1], lhsDilation: [1, 1], rhsDilation: [1, 1] } as const;
    const padding = [
      [0, 0],
      [-1, -2],
    ] as const;
    expect(await valuesOf(new Tensor({ kind: "convolution", ...window, padding }, [x, one]))).toEqual([1, 2]);
  });
});

describe("convolution_filter_gradient", () => {
  test("in parts sums runs of images apart", async () => {
    const random = new Random(1);
    const x = literal(random.array([4, 5, 6, 2]));
    const dy = literal(random.array([4, 4, 4, 3]));
    const window = {
      strides: [1, 1],
      padding: [
        [0, 0],
        [0, 0],
      ],
      lhsDilation: [1, 1],
      rhsDilation: [1, 1],
    } as const;
    const op = { kind: "convolution_filter_gradient", kernel: [2, 3], ...window } as const;
    const parts = await valuesOf(new Tensor({ ...op, parts: 2 }, [x, dy]));
    const halves = await arraysOf(
      [0, 2].map((from) => new Tensor(op, [x.slice(0, from, from + 2), dy.slice(0, from, from + 2)])),
    );
    expect(parts).toEqual(halves.flatMap(({ data }) => Array.from(data)));
  });

  test("is what makes the inner products with the convolution equal", async () => {
    // <conv(x, w), dy> = <w, filterGradient(x, dy)>
    for (let seed = 0; seed < 20; seed++) {
      const random = new Random(seed);
      const window: ConvolutionWindow = {
        strides: [random.integer(1, 2), random.integer(1, 3)],
        padding: [
          [random.integer(-1, 2), random.integer(0, 2)],
          [random.integer(0, 2), random.integer(-1, 2)],
        ],
        lhsDilation: [random.integer(1, 2), random.integer(1, 2)],
        rhsDilation: [random.integer(1, 2), random.integer(1, 2)],
      };
      const kernel = [random.integer(1, 3), random.integer(1, 3)] as const;
      const x = literal(random.array([2, 6, 5, 3]));
      const w = literal(random.array([...kernel, 3, 2]));
      const y = new Tensor({ kind: "convolution", ...window }, [x, w]);
      const dy = literal(random.array(y.shape));
      const dw = new Tensor({ kind: "convolution_filter_gradient", kernel, ...window }, [x, dy]);
      const [outer, inner] = await arraysOf([y.multiply(dy).sum(), w.multiply(dw).sum()]);
      expect(inner.data[0]).toBeCloseTo(outer.data[0], 3);
    }
  });
});
