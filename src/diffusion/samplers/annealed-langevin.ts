import type { NoiseLevel } from "../process/noise-level.ts";
import { score, sum, x, x0, z } from "./parts/combination.ts";
import { intervalsOf } from "./parts/sampler.ts";
import type { SamplerStep } from "./parts/sampler.ts";

export interface AnnealedLangevinOptions {
  /** Steps at every level, from 1 up; default 100. */
  readonly langevinSteps?: number;
  /** How long they are, as a part of sigma^2, above 0 and below 2; default 0.2, which is 2e-5 for the paper's 0.01. */
  readonly stepSize?: number;
}

/**
 * Annealed Langevin dynamics, Algorithm 1 of Song & Ermon (2019, 1907.05600): at each level some steps of
 *
 *     x' = x + (delta / 2) score + sqrt(delta) z,   delta = stepSize sigma^2
 *
 * which lead to images as they are at that level, from where those of the next go on. The last step arrives at the clean images
 * that the network sees (Jolicoeur-Martineau et al. 2020, 2009.05475). About ten levels do.
 */
export function annealedLangevin(
  levels: readonly NoiseLevel[],
  { langevinSteps = 100, stepSize = 0.2 }: AnnealedLangevinOptions,
): SamplerStep[] {
  if (!(Number.isSafeInteger(langevinSteps) && langevinSteps >= 1)) {
    throw new Error(`annealedLangevin: langevinSteps must be a whole number of at least 1, got ${langevinSteps}`);
  }
  if (!(stepSize > 0 && stepSize < 2)) {
    throw new Error(`annealedLangevin: stepSize must be above 0 and below 2, got ${stepSize}`);
  }
  return intervalsOf(levels).flatMap(({ from, to }) => {
    const delta = stepSize * from.sigma ** 2;
    const step = sum([1, x], [delta / 2, score(from)], [Math.sqrt(delta), z]);
    const steps: SamplerStep[] = Array.from({ length: langevinSteps }, () => ({ level: from, x: step }));
    return to.sigma === 0 ? steps.concat({ level: from, x: x0 }) : steps;
  });
}
