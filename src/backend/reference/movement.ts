import { allocate } from "../../tensor/dtype.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import type { TensorType } from "../../tensor/infer.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { range, sizeOf, stridesOf } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";
import { copyStrided } from "./strided.ts";

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** The result when each of its elements lies in `x` at offset + index times strides. */
function read(x: NdArray, { shape, dtype }: TensorType, strides: readonly number[], offset = 0): TypedArray {
  const data = allocate(dtype, sizeOf(shape));
  copyStrided(shape, { data: x.data, offset, strides }, { data, offset: 0, strides: stridesOf(shape) });
  return data;
}

export function transpose(x: NdArray, permutation: readonly number[]): NdArray {
  const strides = stridesOf(x.shape);
  const result = { shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype };
  return {
    ...result,
    data: read(
      x,
      result,
      permutation.map((axis) => strides[axis]),
    ),
  };
}

type MovementKind = "broadcast_in_dim" | "reshape" | "transpose" | "slice" | "pad" | "concatenate" | "reverse";

export const movement: Meanings<MovementKind> = {
  broadcast_in_dim: (op, [x], result) => {
    const strides = stridesOf(x.shape);
    const stretched = op.shape.map((_, axis) => {
      const from = op.dimensions.indexOf(axis);
      return from === -1 || x.shape[from] === 1 ? 0 : strides[from];
    });
    return read(x, result, stretched);
  },
  reshape: (_, [x]) => x.data,
  transpose: (op, [x]) => transpose(x, op.permutation).data,
  slice: (op, [x], result) => {
    const strides = stridesOf(x.shape);
    const offset = sum(strides.map((stride, axis) => stride * op.start[axis]));
    return read(
      x,
      result,
      strides.map((stride, axis) => stride * op.strides[axis]),
      offset,
    );
  },
  pad: (op, [x], { shape, dtype }) => {
    const data = allocate(dtype, sizeOf(shape)).fill(op.value);
    const strides = stridesOf(x.shape);
    const outStrides = stridesOf(shape);
    // Element i of an axis goes to low + i * step; only elements first to last stay inside the result.
    const steps = op.interior.map((n) => n + 1);
    const first = steps.map((step, axis) => Math.max(0, Math.ceil(-op.low[axis] / step)));
    const last = steps.map((step, axis) =>
      Math.min(x.shape[axis] - 1, Math.floor((shape[axis] - 1 - op.low[axis]) / step)),
    );
    const inside = first.map((from, axis) => Math.max(0, last[axis] - from + 1));
    const offset = sum(first.map((from, axis) => from * strides[axis]));
    const outOffset = sum(first.map((from, axis) => (op.low[axis] + from * steps[axis]) * outStrides[axis]));
    const target = { data, offset: outOffset, strides: outStrides.map((stride, axis) => stride * steps[axis]) };
    copyStrided(inside, { data: x.data, offset, strides }, target);
    return data;
  },
  concatenate: (op, inputs, { shape, dtype }) => {
    const data = allocate(dtype, sizeOf(shape));
    const outStrides = stridesOf(shape);
    let offset = 0;
    for (const x of inputs) {
      copyStrided(
        x.shape,
        { data: x.data, offset: 0, strides: stridesOf(x.shape) },
        { data, offset, strides: outStrides },
      );
      offset += x.shape[op.axis] * outStrides[op.axis];
    }
    return data;
  },
  reverse: (op, [x], result) => {
    const strides = stridesOf(x.shape);
    const offset = sum(op.axes.map((axis) => (x.shape[axis] - 1) * strides[axis]));
    const turned = range(x.shape.length).map((axis) => (op.axes.includes(axis) ? -strides[axis] : strides[axis]));
    return read(x, result, turned, offset);
  },
};
