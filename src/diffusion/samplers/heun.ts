import { hasSignal, rhoOf } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { epsilon, memory, sum, unscaled } from "./parts/combination.ts";
import type { Combination } from "./parts/combination.ts";
import { intervalsOf } from "./parts/sampler.ts";
import type { SamplerStep } from "./parts/sampler.ts";

/**
 * Algorithm 1 of Karras et al. (2022, 2206.00364), Heun's method for dX / d rho = epsilon with X = x / alpha and
 * rho = sigma / alpha. Order 2, with two evaluations for each step but the last, which is Euler's, as is one from a level
 * with hardly any signal, of which half would lead far astray.
 */
export function heun(levels: readonly NoiseLevel[]): SamplerStep[] {
  return intervalsOf(levels).flatMap(({ from, to }) => heunSteps(from, to));
}

/** The evaluations of one step of Heun's method. `arrive` makes the next images of the X that it arrives at. */
export function heunSteps(
  from: NoiseLevel,
  to: NoiseLevel,
  arrive: (X: Combination) => Combination = (X) => sum([to.alpha, X]),
): SamplerStep[] {
  const length = rhoOf(to) - rhoOf(from);
  const euler = sum([1, unscaled(from)], [length, epsilon(from)]);
  if (to.sigma === 0 || !hasSignal(from)) return [{ level: from, x: arrive(euler), memory: [{}] }];
  // Half of the slope is known; the other half is that where Euler's step ends.
  const half = sum([1, unscaled(from)], [length / 2, epsilon(from)]);
  return [
    { level: from, x: sum([to.alpha, euler]), memory: [half] },
    { level: to, x: arrive(sum([1, memory(0)], [length / 2, epsilon(to)])), memory: [{}] },
  ];
}
