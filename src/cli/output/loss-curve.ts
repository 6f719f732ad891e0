import { printable } from "./printable.ts";
import type { LossStretch } from "./loss-history.ts";

const [WIDTH, HEIGHT] = [720, 360];
const [LEFT, RIGHT, TOP, BOTTOM] = [56, WIDTH - 20, 36, HEIGHT - 32];
/** The blue line is a mean over this share of the run. */
const SMOOTHING = 1 / 40;
/** Above this ratio of largest to smallest loss, ticks follow the logarithm. */
const WIDE_RANGE = 5;

type Scale = (value: number) => number;

/**
 * The losses of a run as an SVG picture on a logarithmic scale: every step in gray, their mean in blue.
 *
 * @param history at least one stretch, of ascending steps
 */
export function lossCurve(history: readonly LossStretch[], title: string): string {
  const steps = history.map(({ lastStep }) => lastStep);
  const start = history[0].lastStep - history[0].steps;
  const means = smoothed(history, Math.ceil(history.reduce((sum, stretch) => sum + stretch.steps, 0) * SMOOTHING));
  const range = history.map(({ low, high }) => [low, high].map(positive));
  const [low, high] = [0.95 * least(range.flat()), 1.05 * most(range.flat())];
  const x = linear([start, most(steps)], [LEFT, RIGHT]);
  const logarithmic = linear([Math.log(low), Math.log(high)], [BOTTOM, TOP]);
  const y: Scale = (loss) => logarithmic(Math.log(loss));
  const lossTicks = high / low > WIDE_RANGE ? logarithmicTicks(low, high) : linearTicks(low, high);
  const stepTicks = linearTicks(start, most(steps)).filter(Number.isInteger);
  const path = (points: readonly (readonly number[])[]): string =>
    `M${points.flatMap((values, i) => values.map((value) => `${x(steps[i]).toFixed(1)} ${y(value).toFixed(1)}`)).join("L")}`;
  const all = range.map(([lowest, highest]) => (lowest === highest ? [lowest] : [lowest, highest]));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="none">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<path stroke="#e5e5e5" d="${lossTicks.map((tick) => `M${LEFT} ${y(tick).toFixed(1)}H${RIGHT}`).join("")}"/>
<path stroke="#c4c4c4" d="${path(all)}"/>
<path stroke="#2563eb" stroke-width="2" d="${path(means.map((mean) => [mean]))}"/>
<g fill="#444">
<text x="${LEFT}" y="22" font-size="14">${escaped(title)}</text>
${lossTicks.map((tick) => `<text x="${LEFT - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tick}</text>`).join("\n")}
${stepTicks.map((tick) => `<text x="${x(tick).toFixed(1)}" y="${BOTTOM + 20}" text-anchor="${x(tick) + 4 * String(tick).length > WIDTH ? "end" : "middle"}">${tick}</text>`).join("\n")}
</g>
</svg>
`;
}

function linear([from, to]: readonly [number, number], [first, last]: readonly [number, number]): Scale {
  return (value) => first + ((value - from) / (to - from)) * (last - first);
}

/** The mean of each stretch and those before it, `window` steps in all or as many as there are. */
function smoothed(history: readonly LossStretch[], window: number): number[] {
  let [first, sum, steps] = [0, 0, 0];
  return history.map((stretch) => {
    sum += stretch.sum;
    steps += stretch.steps;
    for (; steps - history[first].steps >= window; first++) {
      sum -= history[first].sum;
      steps -= history[first].steps;
    }
    return positive(sum / steps);
  });
}

/** A loss of 0 has no logarithm. */
function positive(loss: number): number {
  return Math.max(loss, 1e-9);
}

/** Up to ten multiples of 1, 2 or 5 times a power of ten. */
function linearTicks(low: number, high: number): number[] {
  const power = 10 ** Math.floor(Math.log10((high - low) / 10));
  const gap = [1, 2, 5, 10].map((n) => n * power).find((candidate) => (high - low) / candidate <= 10) ?? high - low;
  const count = Math.floor(high / gap) - Math.ceil(low / gap) + 1;
  return Array.from({ length: count }, (_, i) => rounded((Math.ceil(low / gap) + i) * gap));
}

/** 1, 2 and 5 times powers of ten. */
function logarithmicTicks(low: number, high: number): number[] {
  const powers = Array.from({ length: 24 }, (_, i) => 10 ** (i - 12));
  const ticks = powers.flatMap((power) => [1, 2, 5].map((n) => rounded(n * power)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

/** Not Math.min(...values), which takes only so many arguments. */
function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b));
}

function most(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b));
}

function escaped(text: string): string {
  return printable(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
