import type { NoiseLevel } from "../process/noise-level.ts";
import { score, sum, x, x0, z } from "./parts/combination.ts";
import { forward, intervalsOf } from "./parts/sampler.ts";
import type { SamplerStep, Transform } from "./parts/sampler.ts";

export interface PredictorCorrectorOptions {
  /** Steps of Langevin dynamics at every level, from 0 up; default 1. */
  readonly correctorSteps?: number;
  /** How long they are: the ratio r of the sizes of noise and score, above 0; default 0.16. */
  readonly snr?: number;
}

/**
 * Predictor-corrector sampling, Algorithms 1 to 5 of Song et al. (2021, 2011.13456). A step of the reverse diffusion goes to
 * the next level, with a = alpha_t / alpha_s and beta = sigma_t^2 - a^2 sigma_s^2,
 *
 *     x_s = (2 - a) x + beta score + sqrt(beta) z
 *
 * and Langevin dynamics there brings the images nearer to what that level's should be (see {@link langevin}). The last step
 * arrives at the clean images that the network sees (Jolicoeur-Martineau et al. 2020, 2009.05475).
 */
export function predictorCorrector(
  levels: readonly NoiseLevel[],
  { correctorSteps = 1, snr = 0.16 }: PredictorCorrectorOptions,
): SamplerStep[] {
  if (!(Number.isSafeInteger(correctorSteps) && correctorSteps >= 0)) {
    throw new Error(`predictorCorrector: correctorSteps must be a whole number of at least 0, got ${correctorSteps}`);
  }
  if (!(snr > 0 && snr <= 1)) throw new Error(`predictorCorrector: snr must be above 0 and at most 1, got ${snr}`);
  return intervalsOf(levels).flatMap(({ from: t, to: s, index }) => {
    const { scale, beta } = forward(s, t);
    const next = sum([2 - scale, x], [beta, score(t)], [Math.sqrt(beta), z]);
    const predictor: SamplerStep = { level: t, x: s.sigma === 0 ? x0 : next, numbers: [0, t.alpha, t.sigma, 0] };
    // Images of the first level are drawn as they should be.
    if (index === 0) return [predictor];
    const { scale: last } = forward(t, levels[index - 1]);
    const corrector: SamplerStep = {
      level: t,
      x: sum([1, x], [1, z]),
      numbers: [1, t.alpha, t.sigma, 2 * last ** 2 * snr ** 2],
    };
    return Array.from({ length: correctorSteps }, () => corrector).concat(predictor);
  });
}

/**
 * Where the first number is 1, makes of z a step of Langevin dynamics whose length follows from the norms of noise and score,
 *
 *     epsilon score + sqrt(2 epsilon) z,   epsilon = 2 a^2 (r |z| / |score|)^2
 *
 * of each image by itself, where the authors' code takes the means of a batch. It is at most sigma^2, beyond which the
 * dynamics does not stay where it should.
 */
export const langevin: Transform = (atHand, [isCorrector, alpha, sigma, factor]) => {
  const variance = sigma.square();
  const gradient = atHand.x0.multiply(alpha).subtract(atHand.x).divide(variance);
  const ratio = atHand.z
    .square()
    .sum([1, 2, 3], true)
    .divide(gradient.square().sum([1, 2, 3], true).maximum(1e-30));
  const length = ratio.multiply(factor).minimum(variance);
  const step = gradient.multiply(length).add(atHand.z.multiply(length.multiply(2).sqrt()));
  return { ...atHand, z: isCorrector.compare("gt", 0).broadcastTo(step.shape).select(step, atHand.z) };
};
