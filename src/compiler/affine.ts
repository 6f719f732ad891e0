/**
 * An integer that depends linearly on the loop axes of a kernel: offset + sum of coefficient * axis.
 * Every axis counts from 0 up to its size.
 */
export interface Affine {
  readonly offset: number;
  readonly coefficients: readonly number[];
}

export function constantAffine(offset: number, rank: number): Affine {
  return { offset, coefficients: new Array<number>(rank).fill(0) };
}

export function axisAffine(axis: number, rank: number): Affine {
  return { offset: 0, coefficients: new Array<number>(rank).fill(0).with(axis, 1) };
}

export function addAffine(a: Affine, b: Affine): Affine {
  return { offset: a.offset + b.offset, coefficients: a.coefficients.map((c, axis) => c + b.coefficients[axis]) };
}

export function scaleAffine(a: Affine, factor: number): Affine {
  return { offset: a.offset * factor, coefficients: a.coefficients.map((c) => c * factor) };
}

export function shiftAffine(a: Affine, amount: number): Affine {
  return { offset: a.offset + amount, coefficients: a.coefficients };
}

export function sameAffine(a: Affine, b: Affine): boolean {
  return a.offset === b.offset && a.coefficients.every((c, axis) => c === b.coefficients[axis]);
}

export function affineKey(a: Affine): string {
  return `${a.offset}+${a.coefficients.join(",")}`;
}

/** Smallest and largest value over the axes' ranges. */
export function boundsOf(a: Affine, axes: readonly number[]): [number, number] {
  let low = a.offset;
  let high = a.offset;
  a.coefficients.forEach((c, axis) => {
    const reach = c * Math.max(0, axes[axis] - 1);
    if (reach < 0) low += reach;
    else high += reach;
  });
  return [low, high];
}

/** The row-major position of coordinates in a shape. */
export function flatten(coordinates: readonly Affine[], shape: readonly number[], rank: number): Affine {
  let flat = constantAffine(0, rank);
  shape.forEach((n, i) => {
    flat = addAffine(scaleAffine(flat, n), coordinates[i]);
  });
  return flat;
}

/** Asks for a loop axis to be split into (size / inner, inner) so that a quotient becomes linear. */
export interface AxisSplit {
  readonly axis: number;
  readonly inner: number;
}

export type Division =
  | { readonly kind: "exact"; readonly quotient: Affine; readonly remainder: Affine }
  | { readonly kind: "split"; readonly split: AxisSplit }
  | { readonly kind: "nonlinear" };

/** Euclidean division of an affine value by a constant, where the result is affine too. */
export function divide(a: Affine, divisor: number, axes: readonly number[]): Division {
  const high = a.coefficients.map((c) => (c % divisor === 0 ? c / divisor : 0));
  const low = a.coefficients.map((c) => (c % divisor === 0 ? 0 : c));
  const quotient = { offset: Math.floor(a.offset / divisor), coefficients: high };
  const remainder = { offset: a.offset - quotient.offset * divisor, coefficients: low };
  const [least, most] = boundsOf(remainder, axes);
  if (least >= 0 && most < divisor) return { kind: "exact", quotient, remainder };
  for (let axis = 0; axis < axes.length; axis++) {
    const inner = divisor / low[axis];
    const splits = low[axis] > 0 && Number.isInteger(inner) && inner < axes[axis] && axes[axis] % inner === 0;
    if (splits) return { kind: "split", split: { axis, inner } };
  }
  return { kind: "nonlinear" };
}

/** Rewrites an affine value after axes `at` and `at + 1` became one. */
export function mergeAxes(a: Affine, at: number): Affine {
  return { offset: a.offset, coefficients: a.coefficients.toSpliced(at, 2, a.coefficients[at + 1]) };
}
