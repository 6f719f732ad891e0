import type { NoiseLevel } from "../../src/diffusion/process/noise-level.ts";
import { factors } from "../../src/diffusion/samplers/parts/combination.ts";
import { samplerNames, samplerOf } from "../../src/diffusion/samplers/registry.ts";
import type { SamplerStep } from "../../src/diffusion/samplers/parts/sampler.ts";

/** The clean number that a network sees in x. */
export type HostDenoiser = (x: number, level: NoiseLevel) => number;

/**
 * What the steps of a sampler make of one number, in float64: the truth about its coefficients, without a device.
 *
 * @param noise the next standard normal number, if the sampler draws any; what the network was shown it may look at
 * @param image the number itself, where inpainting knows it
 * @returns the number at the start and after each evaluation
 */
export function sampleOnHost(
  steps: readonly SamplerStep[],
  denoise: HostDenoiser,
  start: number,
  noise: (x: number, step: SamplerStep) => number = () => 0,
  image?: number,
): number[] {
  const places = Math.max(...steps.map(({ memory }) => memory?.length ?? 0));
  let memory = new Array<number>(places).fill(0);
  let x = start;
  return [
    start,
    ...steps.map((step) => {
      const drawn = (step.x.z ?? 0) === 0 && !step.known ? 0 : noise(x, step);
      const x0 = denoise(x, step.level);
      const atHand = [x, x0, x0, drawn, ...memory];
      const mix = (values: readonly number[]): number => values.reduce((sum, k, i) => sum + k * atHand[i], 0);
      memory = memory.map((_, i) => mix(factors(step.memory?.[i] ?? {}, places)));
      x = mix(factors(step.x, places));
      if (step.known && image !== undefined) x = step.known.alpha * image + step.known.sigma * drawn;
      return x;
    }),
  ];
}

/**
 * Samplers whose steps are linear and go from level to level, so that `sampleOnHost` can take them. The others are tested on
 * a device, in score-diffusion.test.ts, and `lcm`, which is for networks of its own, in schedulers.test.ts.
 */
export const hostSamplerNames = samplerNames.filter(
  (name) => samplerOf(name).transform === undefined && name !== "annealedLangevin" && name !== "lcm",
);
