import type { TypedArray } from "../../tensor/dtype.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";

/** Where the elements of an index space lie in an array: at offset + the sum of index times stride. */
export interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

export interface Strided extends Layout {
  readonly data: TypedArray;
}

/** Visits every row (all indices but the last axis's) with the places of its first element in two layouts. */
export function forEachRow(shape: Shape, a: Layout, b: Layout, visit: (atA: number, atB: number) => void): void {
  if (sizeOf(shape) === 0) return;
  const index = shape.map(() => 0);
  let atA = a.offset;
  let atB = b.offset;
  let axis: number;
  do {
    visit(atA, atB);
    for (axis = shape.length - 2; axis >= 0; axis--) {
      atA += a.strides[axis];
      atB += b.strides[axis];
      if (++index[axis] < shape[axis]) break;
      atA -= shape[axis] * a.strides[axis];
      atB -= shape[axis] * b.strides[axis];
      index[axis] = 0;
    }
  } while (axis >= 0);
}

/** Copies an index space of `shape` from one layout to another. */
export function copyStrided(shape: Shape, source: Strided, target: Strided): void {
  const length = shape.at(-1) ?? 1;
  const sourceStep = source.strides.at(-1) ?? 0;
  const targetStep = target.strides.at(-1) ?? 0;
  const from = source.data;
  const to = target.data;
  forEachRow(shape, source, target, (atSource, atTarget) => {
    for (let i = 0; i < length; i++) to[atTarget + i * targetStep] = from[atSource + i * sourceStep];
  });
}
