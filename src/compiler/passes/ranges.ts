import type { Affine } from "../affine.ts";

/** Smallest and largest value of each loop axis. */
export type Ranges = readonly (readonly [number, number])[];

/** Under a condition on several axes at once it is not known which of their values occur. */
export type KnownRanges = Ranges | undefined;

export function rangesOf(axes: readonly number[]): Ranges {
  return axes.map((n) => [0, Math.max(0, n - 1)]);
}

export function boundsIn(index: Affine, ranges: Ranges): [number, number] {
  return index.coefficients.reduce<[number, number]>(
    ([low, high], c, axis) => {
      const [first, last] = ranges[axis].map((at) => c * at);
      return [low + Math.min(first, last), high + Math.max(first, last)];
    },
    [index.offset, index.offset],
  );
}

/** The ranges where a single axis keeps a condition's index within bounds. */
export function narrow(ranges: KnownRanges, index: Affine, low: number, high: number): KnownRanges {
  const axes = index.coefficients.flatMap((c, axis) => (c !== 0 ? [axis] : []));
  const [axis] = axes;
  if (!ranges || axes.length !== 1 || index.coefficients[axis] !== 1) return undefined;
  const [first, last] = ranges[axis];
  return ranges.with(axis, [Math.max(first, low - index.offset), Math.min(last, high - index.offset)]);
}

/** Where the index is outside of [low, high) on one side only, that side. */
export function beyond(ranges: KnownRanges, index: Affine, low: number, high: number): KnownRanges {
  if (!ranges) return undefined;
  const [first, last] = boundsIn(index, ranges);
  if (first >= low) return narrow(ranges, index, high, Infinity);
  return last < high ? narrow(ranges, index, -Infinity, low - 1) : ranges;
}
