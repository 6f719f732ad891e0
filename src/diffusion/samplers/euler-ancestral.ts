import { rhoOf } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { epsilon, sum, unscaled, z } from "./parts/combination.ts";
import { checkEta, intervalsOf } from "./parts/sampler.ts";
import type { EtaOptions, SamplerStep } from "./parts/sampler.ts";

/**
 * Ancestral sampling by Euler steps, `sample_euler_ancestral` of k-diffusion (Crowson 2022): for X = x / alpha and
 * rho = sigma / alpha goes down below the next level, and then up to it with fresh noise,
 *
 *     X' = X + (down - rho) epsilon + up z,   up^2 + down^2 = rho'^2
 *     up = min(rho', eta rho' sqrt(rho^2 - rho'^2) / rho)
 *
 * Without noise (eta = 0) it is `euler`.
 */
export function eulerAncestral(levels: readonly NoiseLevel[], { eta = 1 }: EtaOptions): SamplerStep[] {
  checkEta("eulerAncestral", eta);
  return intervalsOf(levels).map(({ from, to }) => {
    const [rho, next] = [rhoOf(from), rhoOf(to)];
    const up = Math.min(next, (eta * next * Math.sqrt(rho ** 2 - next ** 2)) / rho);
    const down = Math.sqrt(next ** 2 - up ** 2);
    return {
      level: from,
      x: sum([to.alpha, unscaled(from)], [to.alpha * (down - rho), epsilon(from)], [to.alpha * up, z]),
    };
  });
}
