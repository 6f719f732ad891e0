/** What a few measurements of one thing come to. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws Error if there is no sample, or one that is no finite number */
export function spreadOf(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new Error("spreadOf: needs at least one sample, got none");
  const wrong = samples.find((sample) => !Number.isFinite(sample));
  if (wrong !== undefined) throw new Error(`spreadOf: samples must be finite, got ${wrong}`);
  return { median: medianOf(samples), min: Math.min(...samples), max: Math.max(...samples) };
}

/** The middle one; of an even number, the mean of the two in the middle. */
export function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Of positive numbers, such as ratios: the n-th root of their product. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
