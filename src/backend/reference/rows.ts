import { allocate, isInteger } from "../../tensor/dtype.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";

/** Rows of a table by their numbers: reading them, and adding to them. */
export const rows: Meanings<"gather" | "scatter_add"> = {
  gather: (_, [table, indices], { shape, dtype }) => {
    const length = sizeOf(table.shape.slice(1));
    const data = allocate(dtype, sizeOf(shape));
    indices.data.forEach((index, i) => {
      const row = Math.min(Math.max(index, 0), table.shape[0] - 1);
      data.set(table.data.subarray(row * length, (row + 1) * length), i * length);
    });
    return data;
  },
  scatter_add: (op, [indices, updates], { shape, dtype }) => {
    const length = sizeOf(shape.slice(1));
    const sums: TypedArray | Float64Array = isInteger(dtype)
      ? allocate(dtype, sizeOf(shape))
      : new Float64Array(sizeOf(shape));
    indices.data.forEach((row, i) => {
      if (row < 0 || row >= op.rows) return;
      for (let j = 0; j < length; j++) sums[row * length + j] += updates.data[i * length + j];
    });
    return sums instanceof Float64Array ? new Float32Array(sums) : sums;
  },
};
