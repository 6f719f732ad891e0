import { rhoOf } from "../process/noise-level.ts";
import type { NoiseLevel, NoiseLevels } from "../process/noise-level.ts";
import { sum, z } from "./parts/combination.ts";
import { heunSteps } from "./heun.ts";
import type { SamplerStep } from "./parts/sampler.ts";

export interface EdmOptions {
  /** Noise that `edm` adds, S_churn of Karras et al. (2022), from 0 up; default 40. */
  readonly sChurn?: number;
  /** Least noise level rho = sigma / alpha at which `edm` adds noise; default 0.05. */
  readonly sTMin?: number;
  /** Largest such level; default 50. */
  readonly sTMax?: number;
  /** Deviation of the noise that `edm` adds, about 1; default 1.003. */
  readonly sNoise?: number;
}

/**
 * Algorithm 2 of Karras et al. (2022, 2206.00364), their stochastic sampler: before each step fresh noise lifts the
 * images from rho to (1 + gamma) rho, from where a step of Heun's method goes down to the next level,
 *
 *     gamma = min(S_churn / N, sqrt(2) - 1) where S_tmin <= rho <= S_tmax, else 0
 *     X^ = X + sqrt(rho^^2 - rho^2) S_noise z,   rho^ = (1 + gamma) rho
 *
 * with X = x / alpha and rho = sigma / alpha. The noise at the start counts as lifted. Without churn it is `heun`. The
 * defaults are the paper's for ImageNet.
 */
export function edm(levels: readonly NoiseLevel[], options: EdmOptions, known: NoiseLevels): SamplerStep[] {
  const { sChurn = 40, sTMin = 0.05, sTMax = 50, sNoise = 1.003 } = options;
  for (const [name, value] of Object.entries({ sChurn, sTMin, sTMax, sNoise })) {
    if (!(value >= 0)) throw new Error(`edm: ${name} must be at least 0, got ${value}`);
  }
  const count = levels.length - 1;
  const gamma = Math.min(sChurn / count, Math.SQRT2 - 1);
  const lifted = levels.map((level) => {
    const rho = rhoOf(level);
    return gamma > 0 && rho >= sTMin && rho <= sTMax ? known.withRho((1 + gamma) * rho) : level;
  });
  return Array.from({ length: count }, (_, i) => {
    const [to, next] = [levels[i + 1], lifted[i + 1]];
    const fresh = sNoise * Math.sqrt(rhoOf(next) ** 2 - rhoOf(to) ** 2);
    return heunSteps(lifted[i], to, (X) => sum([next.alpha, X], [next.alpha * fresh, z]));
  }).flat();
}
