import { hasSignal, rhoOf } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { epsilon, history, memory, sum, unscaled } from "./parts/combination.ts";
import type { Combination } from "./parts/combination.ts";
import { intervalsOf } from "./parts/sampler.ts";
import type { Interval, SamplerStep } from "./parts/sampler.ts";

/** Adams and Bashforth's weights of the last epsilons, the newest first. */
const WEIGHTS: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/**
 * Pseudo linear multistep, Liu et al. (2022, 2202.09778): Adams and Bashforth's weights make one epsilon of the last
 * four, which is followed to the next timestep as `ddim` would, here for X = x / alpha and rho = sigma / alpha,
 *
 *     X' = X + (rho' - rho) epsilon
 *
 * The first step is Heun's, with a second evaluation, as in PLMS of latent diffusion (Rombach et al. 2022) and
 * `PNDMScheduler` of diffusers without Runge-Kutta steps; from a level with hardly any signal it is simple. Order 2; the weights
 * are those of timesteps at equal distances.
 */
export function pndm(levels: readonly NoiseLevel[]): SamplerStep[] {
  const [first, ...rest] = intervalsOf(levels);
  if (first === undefined) return [];
  const isSimple = rest.length === 0 || !hasSignal(first.from);
  return [...(isSimple ? [multistep(first)] : firstSteps(first)), ...rest.map(multistep)];
}

function multistep({ from, to, index }: Interval): SamplerStep {
  const epsilons = history(epsilon(from), 3);
  const mixed = sum(...WEIGHTS[Math.min(index, 3)].map((weight, j) => [weight, epsilons[j]] as const));
  return { level: from, x: follow(mixed, unscaled(from), from, to), memory: epsilons.slice(0, 3) };
}

function firstSteps({ from, to }: Interval): SamplerStep[] {
  const [before, start] = [memory(0), memory(1)];
  const mean = sum([1 / 2, before], [1 / 2, epsilon(to)]);
  return [
    { level: from, x: follow(epsilon(from), unscaled(from), from, to), memory: [epsilon(from), unscaled(from), {}] },
    { level: to, x: follow(mean, start, from, to), memory: [before, {}, {}] },
  ];
}

function follow(epsilon: Combination, X: Combination, from: NoiseLevel, to: NoiseLevel): Combination {
  return sum([to.alpha, X], [to.alpha * (rhoOf(to) - rhoOf(from)), epsilon]);
}
