import type { NoiseLevel } from "../process/noise-level.ts";
import { epsilon, sum, x0, z } from "./combination.ts";
import { checkEta, intervalsOf } from "./sampler.ts";
import type { SamplerOptions, SamplerStep } from "./sampler.ts";

/**
 * Denoising diffusion implicit models, equation 12 of Song et al. (2021, 2010.02502). From timestep t to the next one
 * s that is visited:
 *
 *     x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - deviation^2) epsilon + deviation z
 *     deviation = eta sqrt((1 - abar_s) / (1 - abar_t)) sqrt(1 - abar_t / abar_s)
 *
 * with the predicted x_0 and epsilon. Without noise (eta = 0) the images follow from x_T; eta = 1 is `ddpm`.
 */
export function ddim(levels: readonly NoiseLevel[], { eta = 0 }: SamplerOptions): SamplerStep[] {
  checkEta("ddim", eta);
  return intervalsOf(levels).map(({ from: t, to: s }) => {
    const deviation = eta * (s.sigma / t.sigma) * Math.sqrt(Math.max(0, 1 - (t.alpha / s.alpha) ** 2));
    const towardsNoise = Math.sqrt(Math.max(0, s.sigma ** 2 - deviation ** 2));
    return { level: t, x: sum([s.alpha, x0], [towardsNoise, epsilon(t)], [deviation, z]) };
  });
}
