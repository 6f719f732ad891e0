import type { Bounds } from "../../src/diffusion/samplers/parts/bounds.ts";
import { factors } from "../../src/diffusion/samplers/parts/combination.ts";
import type { SamplerStep } from "../../src/diffusion/samplers/parts/sampler.ts";
import type { SamplingPlan } from "../../src/diffusion/samplers/plan.ts";

export interface HostWalk {
  /** The clean number that a network sees in x. */
  readonly denoise: (x: number, step: SamplerStep) => number;
  /** The next normal numbers, if a step draws some, times what a learned variance makes of them. */
  readonly noise: (x: readonly number[], step: SamplerStep) => readonly number[];
}

/**
 * What a plan makes of one image of several numbers, in float64: the truth about its coefficients and its bounds, without a
 * device.
 *
 * @returns the image at the start and after each evaluation
 */
export function walkOnHost(plan: SamplingPlan, start: readonly number[], { denoise, noise }: HostWalk): number[][] {
  let x = [...start];
  let memory = Array.from({ length: plan.memory }, () => start.map(() => 0));
  const path = [x];
  for (const step of plan.steps) {
    const shown = x;
    const predicted = shown.map((value) => denoise(value, step));
    const x0 = boundedOnHost(predicted, plan.bounds);
    const z = (step.x.z ?? 0) === 0 ? start.map(() => 0) : noise(shown, step);
    const before = memory;
    const mix = (row: readonly number[]): number[] =>
      start.map((_, i) => {
        const atHand = [shown[i], x0[i], predicted[i], z[i], ...before.map((image) => image[i])];
        return row.reduce((sum, k, j) => sum + k * atHand[j], 0);
      });
    memory = memory.map((_, i) => mix(factors(step.memory?.[i] ?? {}, plan.memory)));
    x = mix(factors(step.x, plan.memory));
    path.push(x);
  }
  return path;
}

export function boundedOnHost(image: readonly number[], bounds: Bounds = { clipRange: Infinity }): number[] {
  const { clipRange, thresholding } = bounds;
  if (!thresholding) return image.map((value) => Math.min(clipRange, Math.max(-clipRange, value)));
  const sizes = image.map(Math.abs).toSorted((a, b) => a - b);
  const place = thresholding.ratio * (sizes.length - 1);
  const low = Math.floor(place);
  const size = sizes[low] + (place - low) * ((sizes[low + 1] ?? sizes[low]) - sizes[low]);
  const limit = Math.min(Math.max(size, 1), thresholding.most);
  return image.map((value) => Math.min(limit, Math.max(-limit, value)) / limit);
}
