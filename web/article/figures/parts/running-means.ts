/** At each place the mean of the values up to it, of the last `count` at most. */
export function runningMeans(values: readonly number[], count: number): Float64Array {
  let sum = 0;
  return Float64Array.from(values, (value, i) => {
    sum += value - (i >= count ? values[i - count] : 0);
    return sum / Math.min(i + 1, count);
  });
}
