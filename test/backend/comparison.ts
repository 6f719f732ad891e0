import type { NdArray } from "../../src/tensor/ndarray.ts";
import { formatShape, stridesOf } from "../../src/tensor/shape.ts";

/** Where two arrays differ by more than is allowed, in a few words; undefined where they do not. NaN equals NaN. */
export function difference(
  actual: NdArray,
  expected: NdArray,
  allowed: (index: number) => number = () => 0,
): string | undefined {
  const type = ({ dtype, shape, data }: NdArray): string => `${data.constructor.name} ${dtype}${formatShape(shape)}`;
  if (type(actual) !== type(expected)) return `got ${type(actual)}, expected ${type(expected)}`;
  if (actual.data.length !== expected.data.length) {
    return `got ${actual.data.length} values, expected ${expected.data.length}`;
  }
  let first = -1;
  let count = 0;
  expected.data.forEach((value, i) => {
    if (isClose(actual.data[i], value, allowed(i))) return;
    if (count === 0) first = i;
    count++;
  });
  if (count === 0) return undefined;
  const place = stridesOf(expected.shape).map((stride, axis) => Math.floor(first / stride) % expected.shape[axis]);
  const values = `got ${actual.data[first]}, expected ${expected.data[first]}, allowed difference ${allowed(first)}`;
  return `${type(expected)} at [${place.join(",")}]: ${values}; ${count} of ${expected.data.length} values differ`;
}

function isClose(actual: number, expected: number, allowed: number): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(actual);
  return actual === expected || (Number.isFinite(expected) && Math.abs(actual - expected) <= allowed);
}
