import { hasSignal, rhoOf } from "../../process/noise-level.ts";
import type { NoiseLevel, NoiseLevels } from "../../process/noise-level.ts";
import { epsilon, history, memory, sum, unscaled, velocity } from "../parts/combination.ts";
import type { Combination } from "../parts/combination.ts";
import { arrivalsOf, checkStride, intervalsOf, stridesOf } from "../parts/sampler.ts";
import type { Interval, SamplerStep, StrideOptions } from "../parts/sampler.ts";

export interface PndmOptions extends StrideOptions {
  /** Whether the first three steps of `pndm` are Runge and Kutta's, of four evaluations each; default false. */
  readonly rungeKutta?: boolean;
  /** Whether `pndm` mixes its last predictions as v instead of as noise; default false. */
  readonly mixesVelocities?: boolean;
}

/** Adams and Bashforth's weights of the last predictions, the newest first. */
const WEIGHTS: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

const RUNGE_KUTTA_STEPS = 3;

/** What predictions are mixed as, and how images follow a mixed one. */
interface Mixing {
  readonly prediction: (level: NoiseLevel) => Combination;
  /** The noise that a mixed prediction means at a level, beside images x / alpha. */
  readonly noise: (mixed: Combination, X: Combination, level: NoiseLevel) => Combination;
}

const epsilons: Mixing = { prediction: epsilon, noise: (mixed) => mixed };

const velocities: Mixing = {
  prediction: velocity,
  noise: (mixed, X, { alpha, sigma }) => sum([alpha, mixed], [sigma * alpha, X]),
};

/**
 * Pseudo linear multistep, Liu et al. (2022, 2202.09778): Adams and Bashforth's weights make one epsilon of the last
 * four, which is followed to the next timestep as `ddim` would, here for X = x / alpha and rho = sigma / alpha,
 *
 *     X' = X + (rho' - rho) epsilon
 *
 * The first step is Heun's, with a second evaluation, as in PLMS of latent diffusion (Rombach et al. 2022) and
 * `PNDMScheduler` of diffusers without Runge-Kutta steps; from a level with hardly any signal it is simple. With them, the first
 * three steps are of four evaluations each. Order 2; the weights are those of timesteps at equal distances.
 */
export function pndm(levels: readonly NoiseLevel[], options: PndmOptions, known: NoiseLevels): SamplerStep[] {
  const { stride, rungeKutta = false, mixesVelocities = false } = options;
  checkStride("pndm", stride, known);
  const mixing = mixesVelocities ? velocities : epsilons;
  const intervals = stridesOf(levels, stride, known);
  const [first, ...rest] = intervals;
  if (first === undefined) return [];
  const multisteps = (of: readonly Interval[]): SamplerStep[] => of.map((interval) => multistep(interval, mixing));
  if (rungeKutta) {
    return [...rungeKuttaSteps(levels, stride, known, mixing), ...multisteps(intervals.slice(RUNGE_KUTTA_STEPS))];
  }
  if (rest.length === 0 || !hasSignal(first.from)) return multisteps(intervals);
  return [...firstSteps(levels, stride, known, mixing), ...multisteps(rest)];
}

function multistep({ from, to, index }: Interval, mixing: Mixing): SamplerStep {
  const predictions = history(mixing.prediction(from), 3);
  const mixed = sum(...WEIGHTS[Math.min(index, 3)].map((weight, j) => [weight, predictions[j]] as const));
  return { level: from, x: follow(mixing, mixed, unscaled(from), from, to), memory: predictions.slice(0, 3) };
}

/** Evaluations at the first two levels; the mean of both repeats the first step, or one of the same length to the second level. */
function firstSteps(
  [from, to, ...rest]: readonly NoiseLevel[],
  stride: number | undefined,
  known: NoiseLevels,
  mixing: Mixing,
): SamplerStep[] {
  const reached = stride === undefined ? to : arrivalsOf(rest, known)(from.timestep - stride);
  const restart = stride === undefined ? from : known.at(to.timestep + stride);
  const first = mixing.prediction(from);
  const [before, start] = [memory(0), sum([from.alpha / restart.alpha, memory(1)])];
  const mean = sum([1 / 2, before], [1 / 2, mixing.prediction(to)]);
  return [
    { level: from, x: follow(mixing, first, unscaled(from), from, reached), memory: [first, unscaled(from), {}] },
    { level: to, x: follow(mixing, mean, start, restart, to), memory: [before, {}, {}] },
  ];
}

/**
 * Runge and Kutta's method of order 4 from each of the first levels to the next: evaluations where it starts, twice half a
 * stride above where it ends, and there. The first of each is kept for the steps that follow.
 */
function rungeKuttaSteps(
  levels: readonly NoiseLevel[],
  stride: number | undefined,
  known: NoiseLevels,
  mixing: Mixing,
): SamplerStep[] {
  if (known.timesteps === undefined || levels.length <= RUNGE_KUTTA_STEPS + 1) {
    const got = known.timesteps === undefined ? "none" : `${levels.length - 1} steps`;
    throw new Error(`pndm: rungeKutta needs a model with timesteps and at least 4 steps, got ${got}`);
  }
  const arrival = arrivalsOf(levels, known);
  const [kept, sumSoFar, start] = [[0, 1, 2].map(memory), memory(3), memory(4)];
  return intervalsOf(levels.slice(0, RUNGE_KUTTA_STEPS + 1)).flatMap(({ from, to }) => {
    const half = Math.floor((stride ?? from.timestep - to.timestep) / 2);
    const middle = known.at(to.timestep + half);
    const step = (level: NoiseLevel, arrive: NoiseLevel, share: number): SamplerStep => {
      const total = sum([1, sumSoFar], [share, mixing.prediction(level)]);
      const followed = share === 1 / 6 ? total : mixing.prediction(level);
      return { level, x: follow(mixing, followed, start, from, arrive), memory: [...kept, total, start] };
    };
    const first = mixing.prediction(from);
    return [
      {
        level: from,
        x: follow(mixing, first, unscaled(from), from, arrival(from.timestep - half)),
        memory: [first, kept[0], kept[1], sum([1 / 6, first]), unscaled(from)],
      },
      step(middle, middle, 1 / 3),
      step(middle, arrival(middle.timestep - half), 1 / 3),
      step(to, to, 1 / 6),
    ];
  });
}

function follow(mixing: Mixing, mixed: Combination, X: Combination, from: NoiseLevel, to: NoiseLevel): Combination {
  return sum([to.alpha, X], [to.alpha * (rhoOf(to) - rhoOf(from)), mixing.noise(mixed, X, from)]);
}
