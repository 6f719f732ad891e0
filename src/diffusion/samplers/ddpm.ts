import { varianceTypes } from "../denoiser.ts";
import { sum, x, x0, z } from "./combination.ts";
import { intervalsOf } from "./sampler.ts";
import type { SamplerOptions, SamplerStep } from "./sampler.ts";
import type { NoiseLevel } from "../process/noise-level.ts";

/**
 * Algorithm 2 of Ho et al. (2020, 2006.11239), ancestral sampling. From timestep t to the next one s that is visited,
 * with beta = 1 - abar_t / abar_s (beta_t, if all are visited; respaced as in Nichol & Dhariwal 2021, 2102.09672):
 *
 *     x_s = mean + deviation z
 *     mean = (sqrt(abar_s) beta x_0 + sqrt(1 - beta) (1 - abar_s) x) / (1 - abar_t)
 *
 * Equation 7; with the predicted x_0 it is equation 11, unless that was clipped. The variance is that of the posterior,
 * beta (1 - abar_s) / (1 - abar_t), or beta itself, or learned: from the one with v = -1 to the other with v = 1 on a
 * logarithmic scale, equation 15 of Nichol & Dhariwal. The last step adds no noise.
 */
export function ddpm(levels: readonly NoiseLevel[], { varianceType = "fixedSmall" }: SamplerOptions): SamplerStep[] {
  if (!varianceTypes.includes(varianceType)) {
    throw new Error(`ddpm: varianceType must be one of ${varianceTypes.join(", ")}, got ${varianceType}`);
  }
  return intervalsOf(levels).map(({ from: t, to: s }) => {
    const beta = 1 - (t.alpha / s.alpha) ** 2;
    const mean = sum([(s.alpha * beta) / t.sigma ** 2, x0], [(Math.sqrt(1 - beta) * s.sigma ** 2) / t.sigma ** 2, x]);
    const posterior = (beta * s.sigma ** 2) / t.sigma ** 2;
    if (posterior === 0) return { level: t, x: mean };
    const variance = { fixedSmall: posterior, fixedLarge: beta, learnedRange: Math.sqrt(posterior * beta) }[
      varianceType
    ];
    const varianceSpread = varianceType === "learnedRange" ? Math.log(beta / posterior) / 4 : 0;
    return { level: t, x: sum([1, mean], [Math.sqrt(variance), z]), varianceSpread };
  });
}
