import type { NoiseLevel, NoiseLevels } from "../process/noise-level.ts";
import { epsilon, predictedEpsilon, sum, x0, z } from "./parts/combination.ts";
import { checkEta, checkStride, forward, stridesOf } from "./parts/sampler.ts";
import type { EtaOptions, SamplerStep, StrideOptions } from "./parts/sampler.ts";

export interface DdimOptions extends EtaOptions, StrideOptions {
  /**
   * Whether the predicted noise of `ddim` follows from the clean images after these were kept within bounds, so that the two
   * agree (the default), or is what the network predicted.
   */
  readonly useClippedModelOutput?: boolean;
}

/**
 * Denoising diffusion implicit models, equation 12 of Song et al. (2021, 2010.02502). From timestep t to the next one
 * s that is visited:
 *
 *     x_s = alpha_s x_0 + sqrt(sigma_s^2 - deviation^2) epsilon + deviation z
 *     deviation = eta (sigma_s / sigma_t) sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2)
 *
 * with the predicted x_0 and epsilon. Without noise (eta = 0) the images follow from x_T; eta = 1 is `ddpm`.
 */
export function ddim(levels: readonly NoiseLevel[], options: DdimOptions, known: NoiseLevels): SamplerStep[] {
  const { eta = 0, stride, useClippedModelOutput = true } = options;
  checkEta("ddim", eta);
  checkStride("ddim", stride, known);
  const noise = useClippedModelOutput ? epsilon : predictedEpsilon;
  return stridesOf(levels, stride, known).map(({ from: t, to: s }) => {
    const deviation = eta * (s.sigma / t.sigma) * Math.sqrt(forward(s, t).beta);
    const towardsNoise = Math.sqrt(Math.max(0, s.sigma ** 2 - deviation ** 2));
    return { level: t, x: sum([s.alpha, x0], [towardsNoise, noise(t)], [deviation, z]) };
  });
}
