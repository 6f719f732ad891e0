import { allocate, isInteger } from "../../tensor/dtype.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import type { ConvolutionWindow, Reduction, SpatialPair } from "../../tensor/op.ts";
import { identityOf } from "../../tensor/reduction.ts";
import { range, sizeOf, stridesOf } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";
import { transpose } from "./movement.ts";
import { forEachRow } from "./strided.ts";

const combine: Readonly<Record<Reduction, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  max: Math.max,
  min: Math.min,
};

/** Visits every input pixel and filter tap that meet, with the output pixel they add to; all counted row-major. */
function forEachMeeting(
  [batch, height, width]: Shape,
  kernel: SpatialPair,
  [, outHeight, outWidth]: Shape,
  window: ConvolutionWindow,
  visit: (pixel: number, tap: number, outPixel: number) => void,
): void {
  /** The input row or column under a tap, or -1 in the padding and between dilated pixels. */
  const under = (axis: 0 | 1, size: number) => (out: number, tap: number) => {
    const at = out * window.strides[axis] + tap * window.rhsDilation[axis] - window.padding[axis][0];
    const index = at / window.lhsDilation[axis];
    return Number.isInteger(index) && index >= 0 && index < size ? index : -1;
  };
  const rowUnder = under(0, height);
  const columnUnder = under(1, width);
  for (let outRow = 0; outRow < outHeight; outRow++) {
    for (let tapRow = 0; tapRow < kernel[0]; tapRow++) {
      const row = rowUnder(outRow, tapRow);
      if (row === -1) continue;
      for (let outColumn = 0; outColumn < outWidth; outColumn++) {
        for (let tapColumn = 0; tapColumn < kernel[1]; tapColumn++) {
          const column = columnUnder(outColumn, tapColumn);
          if (column === -1) continue;
          for (let n = 0; n < batch; n++) {
            const pixel = (n * height + row) * width + column;
            visit(pixel, tapRow * kernel[1] + tapColumn, (n * outHeight + outRow) * outWidth + outColumn);
          }
        }
      }
    }
  }
}

export const contraction: Meanings<"reduce" | "dot_general" | "convolution" | "convolution_filter_gradient"> = {
  reduce: (op, [x], { shape, dtype }) => {
    const add = combine[op.reduction];
    const length = sizeOf(shape);
    const sums: TypedArray | Float64Array = isInteger(dtype) ? allocate(dtype, length) : new Float64Array(length);
    sums.fill(identityOf(op.reduction, dtype));
    // Reduced axes do not move the place of the sum.
    const kept = stridesOf(shape);
    let next = 0;
    const strides = range(x.shape.length).map((axis) => (op.axes.includes(axis) ? 0 : kept[next++]));
    const step = strides.at(-1) ?? 0;
    const rowLength = x.shape.at(-1) ?? 1;
    forEachRow(x.shape, { offset: 0, strides: stridesOf(x.shape) }, { offset: 0, strides }, (at, to) => {
      for (let i = 0; i < rowLength; i++) sums[to + i * step] = add(sums[to + i * step], x.data[at + i]);
    });
    return sums instanceof Float64Array ? new Float32Array(sums) : sums;
  },
  dot_general: (op, [a, b], { shape }) => {
    const free = (rank: number, batch: readonly number[], contract: readonly number[]): number[] =>
      range(rank).filter((axis) => !batch.includes(axis) && !contract.includes(axis));
    const aFree = free(a.shape.length, op.lhsBatch, op.lhsContract);
    const bFree = free(b.shape.length, op.rhsBatch, op.rhsContract);
    const lhs = transpose(a, [...op.lhsBatch, ...aFree, ...op.lhsContract]).data;
    const rhs = transpose(b, [...op.rhsBatch, ...op.rhsContract, ...bFree]).data;
    const extent = (of: Shape, axes: readonly number[]): number => sizeOf(axes.map((axis) => of[axis]));
    const rows = extent(a.shape, aFree);
    const columns = extent(b.shape, bFree);
    const depth = extent(a.shape, op.lhsContract);
    const sums = new Float64Array(sizeOf(shape));
    for (let out = 0; out < extent(a.shape, op.lhsBatch) * rows; out++) {
      const batch = Math.floor(out / rows);
      for (let k = 0; k < depth; k++) {
        const value = lhs[out * depth + k];
        const from = (batch * depth + k) * columns;
        for (let j = 0; j < columns; j++) sums[out * columns + j] += value * rhs[from + j];
      }
    }
    return new Float32Array(sums);
  },
  convolution: (op, [x, w], { shape }) => {
    const [kernelHeight, kernelWidth, channels, outChannels] = w.shape;
    const sums = new Float64Array(sizeOf(shape));
    forEachMeeting(x.shape, [kernelHeight, kernelWidth], shape, op, (pixel, tap, outPixel) => {
      for (let c = 0; c < channels; c++) {
        const value = x.data[pixel * channels + c];
        const from = (tap * channels + c) * outChannels;
        for (let o = 0; o < outChannels; o++) sums[outPixel * outChannels + o] += value * w.data[from + o];
      }
    });
    return new Float32Array(sums);
  },
  convolution_filter_gradient: (op, [x, dy], { shape }) => {
    const [channels, outChannels] = shape.slice(-2);
    const filterSize = op.kernel[0] * op.kernel[1] * channels * outChannels;
    const pixelsPerPart = (x.shape[0] / (op.parts ?? 1)) * x.shape[1] * x.shape[2];
    const sums = new Float64Array(sizeOf(shape));
    forEachMeeting(x.shape, op.kernel, dy.shape, op, (pixel, tap, outPixel) => {
      const filter = Math.floor(pixel / pixelsPerPart) * filterSize;
      for (let c = 0; c < channels; c++) {
        const value = x.data[pixel * channels + c];
        const to = filter + (tap * channels + c) * outChannels;
        for (let o = 0; o < outChannels; o++) sums[to + o] += value * dy.data[outPixel * outChannels + o];
      }
    });
    return new Float32Array(sums);
  },
};
