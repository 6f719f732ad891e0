import { varianceTypes } from "../denoiser.ts";
import type { VarianceType } from "../denoiser.ts";
import { sum, x, x0, z } from "./parts/combination.ts";
import { forward, intervalsOf } from "./parts/sampler.ts";
import type { SamplerStep } from "./parts/sampler.ts";
import type { NoiseLevel } from "../process/noise-level.ts";

export interface DdpmOptions {
  /** Variance of `ddpm`; default `fixedSmall`. `learned`: what a network with twice the channels answers is the variance. */
  readonly varianceType?: VarianceType | "learned";
  /**
   * Whether `ddpm` adds noise in the last step too, unless it is from timestep 0, as diffusers does: with a posterior variance
   * of 1e-20 there. Default false.
   */
  readonly finalNoise?: boolean;
}

const LEAST_VARIANCE = 1e-20;

/**
 * Algorithm 2 of Ho et al. (2020, 2006.11239), ancestral sampling. From timestep t to the next one s that is visited,
 * with a = alpha_t / alpha_s and beta = sigma_t^2 - a^2 sigma_s^2, the noise that is added from s to t (beta_t, if all are
 * visited; respaced as in Nichol & Dhariwal 2021, 2102.09672):
 *
 *     x_s = mean + deviation z
 *     mean = (alpha_s beta x_0 + a sigma_s^2 x) / sigma_t^2
 *
 * Equation 7; with the predicted x_0 it is equation 11, unless that was clipped. The variance is that of the posterior,
 * beta sigma_s^2 / sigma_t^2, or beta itself, or learned: from the one with v = -1 to the other with v = 1 on a
 * logarithmic scale, equation 15 of Nichol & Dhariwal. The last step adds no noise.
 */
export function ddpm(levels: readonly NoiseLevel[], options: DdpmOptions): SamplerStep[] {
  const { varianceType = "fixedSmall", finalNoise = false } = options;
  const isVarianceItself = varianceType === "learned";
  if (!isVarianceItself && !varianceTypes.includes(varianceType)) {
    throw new Error(`ddpm: varianceType must be one of ${varianceTypes.join(", ")}, learned, got ${varianceType}`);
  }
  return intervalsOf(levels).map(({ from: t, to: s }) => {
    const { scale, beta } = forward(s, t);
    const mean = sum([(s.alpha * beta) / t.sigma ** 2, x0], [(scale * s.sigma ** 2) / t.sigma ** 2, x]);
    const least = finalNoise && t.timestep > 0 ? LEAST_VARIANCE : 0;
    const posterior = Math.max(least, (beta * s.sigma ** 2) / t.sigma ** 2);
    if (posterior === 0) return { level: t, x: mean, isVarianceItself };
    const range = Math.sqrt(posterior * beta);
    const variance = { fixedSmall: posterior, fixedLarge: beta, learnedRange: range, learned: 1 }[varianceType];
    const varianceSpread = varianceType === "learnedRange" ? Math.log(beta / posterior) / 4 : 0;
    return { level: t, x: sum([1, mean], [Math.sqrt(variance), z]), varianceSpread, isVarianceItself };
  });
}
