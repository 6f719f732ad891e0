/** Where an axis puts its marks. */
export type TickRule = (low: number, high: number) => number[];

/** Up to ten multiples of 1, 2 or 5 times a power of ten. */
export function linearTicks(low: number, high: number): number[] {
  if (!(high > low)) return [low];
  const power = 10 ** Math.floor(Math.log10((high - low) / 10));
  const gap = [1, 2, 5, 10].map((n) => n * power).find((candidate) => (high - low) / candidate <= 10) ?? high - low;
  const first = Math.ceil(low / gap);
  const count = Math.floor(high / gap) - first + 1;
  return Array.from({ length: count }, (_, i) => rounded((first + i) * gap));
}

/** 1, 2 and 5 times powers of ten. */
export function logarithmicTicks(low: number, high: number): number[] {
  const powers = Array.from({ length: 24 }, (_, i) => 10 ** (i - 12));
  const ticks = powers.flatMap((power) => [1, 2, 5].map((n) => rounded(n * power)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** Without what sums of tenths leave in the last digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
