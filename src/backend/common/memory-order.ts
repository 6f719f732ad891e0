import type { TypedArray } from "../../tensor/dtype.ts";
import { stridesOf } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { VariableMemory } from "./variable-store.ts";

/** A memory that keeps each variable's axes in the variable's own order, as compiled programs expect. */
export function inMemoryOrder<Place>(memory: VariableMemory<Place>): VariableMemory<Place> {
  return {
    allocate: (variable) => memory.allocate(variable),
    initialize: (place, variable, data) => memory.initialize(place, variable, toMemory(variable, data)),
    write: (place, variable, data) => memory.write(place, variable, toMemory(variable, data)),
    read: async (place, variable) => fromMemory(variable, await memory.read(place, variable)),
    free: (place, isGone) => memory.free(place, isGone),
  };
}

export function toMemory({ shape, memoryOrder }: Variable, data: TypedArray): TypedArray {
  return memoryOrder ? transposed(data, shape, memoryOrder) : data;
}

export function fromMemory({ shape, memoryOrder }: Variable, data: TypedArray): TypedArray {
  if (!memoryOrder) return data;
  const kept = memoryOrder.map((axis) => shape[axis]);
  return transposed(
    data,
    kept,
    shape.map((_, axis) => memoryOrder.indexOf(axis)),
  );
}

/** Row-major values of a shape as row-major values of the shape whose axis i is its axis order[i]. */
function transposed(data: TypedArray, shape: Shape, order: readonly number[]): TypedArray {
  const result = data.slice();
  const strides = stridesOf(shape);
  let at = 0;
  const copy = (from: number, depth: number): void => {
    const axis = order[depth];
    const [length, stride] = [shape[axis], strides[axis]];
    if (depth === order.length - 1) for (let i = 0; i < length; i++) result[at++] = data[from + i * stride];
    else for (let i = 0; i < length; i++) copy(from + i * stride, depth + 1);
  };
  if (order.length > 0) copy(0, 0);
  return result;
}
