import type { NoiseLevel } from "../../process/noise-level.ts";
import { epsilon, sum, x } from "./combination.ts";
import { intervalsOf } from "./sampler.ts";
import type { SamplerStep } from "./sampler.ts";

/**
 * DDIM run from images to noise, section 4.3 of Song et al. (2021, 2010.02502): Euler's method for dX / d rho = epsilon
 * with X = x / alpha and rho = sigma / alpha, towards more noise. As in diffusers the network is asked about each
 * step's end, since nobody trained it at the clean start. Order 1, as `ddim`, which comes back over the same levels.
 *
 * @param levels where to arrive, the clean start first, the noisiest last
 */
export function ddimInverse(levels: readonly NoiseLevel[]): SamplerStep[] {
  return intervalsOf(levels).map(({ from, to }) => {
    const scale = to.alpha / from.alpha;
    return { level: to, x: sum([scale, x], [to.sigma - scale * from.sigma, epsilon(to)]) };
  });
}
