import type { DType, TypedArray } from "./dtype.ts";
import { allocate } from "./dtype.ts";
import { formatShape, sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** A tensor's values on the host, row-major: what programs take and return. */
export interface NdArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** Wraps values for a program. Plain numbers become f32 unless a dtype is given. */
export function ndarray(data: TypedArray | readonly number[], shape: Shape, dtype?: DType): NdArray {
  const type = dtype ?? (data instanceof Int32Array ? "i32" : data instanceof Uint32Array ? "u32" : "f32");
  if (data.length !== sizeOf(shape)) {
    throw new Error(`ndarray: shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}`);
  }
  const typed = allocate(type, 0).constructor === data.constructor;
  if (typed) return { shape, dtype: type, data: data as TypedArray };
  const copy = allocate(type, data.length);
  copy.set(data);
  return { shape, dtype: type, data: copy };
}
