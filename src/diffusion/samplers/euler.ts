import { rhoOf } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { epsilon, sum, unscaled } from "./parts/combination.ts";
import { intervalsOf } from "./parts/sampler.ts";
import type { SamplerStep } from "./parts/sampler.ts";

/**
 * Euler's method for the probability flow of Karras et al. (2022, 2206.00364), equation 1: for X = x / alpha,
 *
 *     dX / d rho = epsilon,   rho = sigma / alpha
 *
 * Order 1. Over the same levels it is `ddim` without noise.
 */
export function euler(levels: readonly NoiseLevel[]): SamplerStep[] {
  return intervalsOf(levels).map(({ from, to }) => {
    const next = sum([1, unscaled(from)], [rhoOf(to) - rhoOf(from), epsilon(from)]);
    return { level: from, x: sum([to.alpha, next]) };
  });
}
