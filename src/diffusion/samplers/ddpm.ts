import type { DiffusionProcess } from "../process.ts";
import type { Sampler } from "./sampler.ts";

/**
 * Algorithm 2 of Ho et al. (2020, 2006.11239), ancestral sampling through all T timesteps with the variance of the
 * posterior:
 *
 *     x_(t-1) = mean(x_t, t) + sigma_t z,   sigma_t^2 = beta_t (1 - abar_(t-1)) / (1 - abar_t)
 *
 * where the mean is equation 11, or equation 7 with the predicted x_0 clipped to [-1, 1] if the process asks for that.
 */
export function ddpmSampler(process: DiffusionProcess): Sampler {
  return {
    name: "ddpm",
    timesteps: Array.from({ length: process.timesteps }, (_, i) => process.timesteps - 1 - i),
    step({ x, t, noise: z, predict }) {
      const { noise, xStart } = predict(x, t);
      const mean = process.clipDenoised ? process.qPosteriorMean(xStart, x, t) : process.pMean(x, t, noise);
      // sigma_0 is 0: the last step adds no noise.
      const sigma = process.extract("sqrtPosteriorVariance", t, x);
      return { x: mean.add(sigma.multiply(z)), xStart };
    },
  };
}
