import type { DType, TypedArray } from "./dtype.ts";
import { allocate } from "./dtype.ts";
import { INSPECT, formatArray } from "./format.ts";
import { formatShape, normalizeAxis, sameShape, sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** A tensor's values on the host, row-major: what programs take and return. */
export interface NdArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** An array that prints its values. */
class HostArray implements NdArray {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;

  constructor(data: TypedArray, shape: Shape, dtype: DType) {
    this.shape = shape;
    this.dtype = dtype;
    this.data = data;
  }

  toString(): string {
    return formatArray(this.dtype, this.shape, this.data);
  }

  [INSPECT](): string {
    return this.toString();
  }
}

/** Wraps values for a program. Plain numbers become f32 unless a dtype is given. */
export function ndarray(data: TypedArray | readonly number[], shape: Shape, dtype?: DType): NdArray {
  const type = dtype ?? (data instanceof Int32Array ? "i32" : data instanceof Uint32Array ? "u32" : "f32");
  if (data.length !== sizeOf(shape)) {
    throw new Error(`ndarray: shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}`);
  }
  const typed = allocate(type, 0).constructor === data.constructor;
  if (typed) return new HostArray(data as TypedArray, shape, type);
  const copy = allocate(type, data.length);
  copy.set(data);
  return new HostArray(copy, shape, type);
}

/**
 * Elements start, start + 1, ... below limit of one axis, as a copy. Negative numbers count from the end.
 *
 * @throws Error of one line if they are not within the array
 */
export function sliceArray(array: NdArray, axis: number, start: number, limit = Infinity): NdArray {
  const { shape, dtype, data } = array;
  const at = normalizeAxis("sliceArray", axis, shape.length);
  const length = shape[at];
  const place = (i: number): number => (i < 0 ? i + length : i);
  const [from, to] = [place(start), limit === Infinity ? length : place(limit)];
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to > length || from > to) {
    throw new Error(`sliceArray: ${start} to ${limit} must be within axis ${at} of ${formatShape(shape)}`);
  }
  const inner = sizeOf(shape.slice(at + 1));
  const outer = sizeOf(shape.slice(0, at));
  const result = allocate(dtype, outer * (to - from) * inner);
  for (let i = 0; i < outer; i++) {
    result.set(data.subarray((i * length + from) * inner, (i * length + to) * inner), i * (to - from) * inner);
  }
  return new HostArray(result, shape.with(at, to - from), dtype);
}

/**
 * Arrays one after the other along an axis.
 *
 * @throws Error of one line if they differ in dtype or in another axis
 */
export function concatenateArrays(arrays: readonly NdArray[], axis = 0): NdArray {
  const [first] = arrays;
  if (first === undefined) throw new Error("concatenateArrays: needs at least one array, got none");
  const at = normalizeAxis("concatenateArrays", axis, first.shape.length);
  for (const { shape, dtype } of arrays) {
    if (dtype === first.dtype && shape.length === first.shape.length) {
      if (sameShape(shape.with(at, 0), first.shape.with(at, 0))) continue;
    }
    const [a, b] = [first, { shape, dtype }].map((array) => `${array.dtype} ${formatShape(array.shape)}`);
    throw new Error(`concatenateArrays: all must agree but for axis ${at}, got ${a} and ${b}`);
  }
  const lengths = arrays.map(({ shape }) => shape[at] * sizeOf(shape.slice(at + 1)));
  const row = lengths.reduce((sum, length) => sum + length, 0);
  const outer = sizeOf(first.shape.slice(0, at));
  const result = allocate(first.dtype, outer * row);
  let start = 0;
  for (const [k, { data }] of arrays.entries()) {
    for (let i = 0; i < outer; i++) result.set(data.subarray(i * lengths[k], (i + 1) * lengths[k]), i * row + start);
    start += lengths[k];
  }
  const total = arrays.reduce((sum, { shape }) => sum + shape[at], 0);
  return new HostArray(result, first.shape.with(at, total), first.dtype);
}
