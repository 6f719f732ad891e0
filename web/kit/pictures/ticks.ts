export type Range = readonly [low: number, high: number];

/** Where an axis has its marks: multiples of 1, 2 or 5 times a power of ten, about as many as there is room for. */
export function ticksOf([low, high]: Range, isLogarithmic: boolean, most: number): number[] {
  return isLogarithmic ? logarithmic(low, high, most) : linear(low, high, most);
}

function linear(low: number, high: number, most: number): number[] {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const gap = [1, 2, 5, 10].map((n) => n * power).find((candidate) => (high - low) / candidate <= most) ?? high - low;
  const first = Math.ceil(low / gap - 1e-9);
  const count = Math.floor(high / gap + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => rounded((first + i) * gap));
}

function logarithmic(low: number, high: number, most: number): number[] {
  const powers = Array.from({ length: 24 }, (_, i) => 10 ** (i - 12));
  const within = (factors: readonly number[]): number[] =>
    powers.flatMap((power) => factors.map((n) => rounded(n * power))).filter((tick) => tick >= low && tick <= high);
  const all = within([1, 2, 5]);
  return all.length <= most ? all : within([1]);
}

/** Without what sums of tenths leave in the last digits. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
