import type { NoiseLevel, NoiseLevels } from "../process/noise-level.ts";
import { sum, x, x0, z } from "./parts/combination.ts";
import { intervalsOf } from "./parts/sampler.ts";
import type { SamplerStep } from "./parts/sampler.ts";

export interface LcmOptions {
  /** What `lcm` multiplies timesteps by where it weighs the images against the prediction, above 0; default 10. */
  readonly timestepScaling?: number;
}

/** Deviation of the data that the boundary condition takes. */
const SIGMA_DATA = 0.5;

/**
 * Multistep sampling of latent consistency models, Algorithm 3 of Luo et al. (2023, 2310.04378): images are predicted from
 * every level that is visited, and noise takes them to the next one,
 *
 *     x' = alpha' f + sigma' z,   f = c_skip x + c_out x_0
 *     c_skip = d^2 / (s^2 + d^2),   c_out = s / sqrt(s^2 + d^2),   s = timestepScaling t
 *
 * Networks that were distilled so need one to eight steps; of others the images come out blurred.
 */
export function lcm(
  levels: readonly NoiseLevel[],
  { timestepScaling = 10 }: LcmOptions,
  known: NoiseLevels,
): SamplerStep[] {
  if (!(timestepScaling > 0 && timestepScaling < Infinity)) {
    throw new Error(`lcm: timestepScaling must be a number above 0, got ${timestepScaling}`);
  }
  return intervalsOf(levels).map(({ from, to }) => {
    // Where there are no timesteps, the prediction counts alone, as at all but the first few of them.
    const s = known.timesteps === undefined ? Infinity : timestepScaling * from.timestep;
    const ratio = SIGMA_DATA / s;
    const images = sum([1 / (1 + (s / SIGMA_DATA) ** 2), x], [1 / Math.sqrt(1 + ratio ** 2), x0]);
    return { level: from, x: sum([to.alpha, images], [to.sigma, z]) };
  });
}
