import { ndarray } from "unnoise";
import type { InterpolationOptions, NdArray, SampleOptions } from "unnoise";
import type { Drawer } from "../common/drawer.ts";

export interface StrengthSettings {
  readonly seed: number;
  /** Share of the way back into the noise, 0 to 1. */
  readonly strength: number;
  readonly batchSize: number;
}

/** SDEdit (Meng et al. 2021): noise up to a point, and back from there. */
export function strengthOptions({ seed, strength, batchSize }: StrengthSettings): SampleOptions {
  return { strength, seed, batchSize, sampler: "ddim", steps: 20 };
}

/** @param init [1, 28, 28, 1] */
export async function vary(
  { model, diffusion, backend }: Drawer,
  init: NdArray,
  settings: StrengthSettings,
  signal?: AbortSignal,
): Promise<NdArray> {
  const options = strengthOptions(settings);
  // No step is left: the picture stays.
  if (diffusion.plan({ sampler: "ddim", steps: 20, strength: settings.strength }).steps.length === 0) {
    const { batchSize } = settings;
    const copies = new Float32Array(batchSize * init.data.length);
    for (let i = 0; i < batchSize; i++) copies.set(init.data, i * init.data.length);
    return ndarray(copies, [batchSize, ...init.shape.slice(1)]);
  }
  return diffusion.sample(model, { ...options, init, backend, ...(signal && { signal }) });
}

export const BETWEEN = 11;

/** The way between two pictures through the noise from which they come. */
export function walkOptions(): InterpolationOptions {
  return { lam: Array.from({ length: BETWEEN }, (_, i) => i / (BETWEEN - 1)), steps: 20 };
}

/** @returns [BETWEEN, 28, 28, 1], the first of them like `from`, the last like `to` */
export function walkBetween(
  { model, diffusion, backend }: Drawer,
  from: NdArray,
  to: NdArray,
  signal?: AbortSignal,
): Promise<NdArray> {
  return diffusion.interpolate(model, from, to, { ...walkOptions(), backend, ...(signal && { signal }) });
}

export interface PaintSettings {
  readonly seed: number;
  readonly batchSize: number;
}

/** RePaint (Lugmayr et al. 2022) in few steps. */
export function paintOptions({ seed, batchSize }: PaintSettings): SampleOptions {
  return { seed, batchSize, sampler: "ddim", steps: 20, resamples: 3, jumpLength: 4 };
}

/**
 * Paints anew where the mask is 1; elsewhere every bit of the picture stays.
 *
 * @param mask [1, 28, 28, 1], 0 or 1
 */
export function paint(
  { model, diffusion, backend }: Drawer,
  image: NdArray,
  mask: NdArray,
  settings: PaintSettings,
  signal?: AbortSignal,
): Promise<NdArray> {
  return diffusion.sample(model, { ...paintOptions(settings), image, mask, backend, ...(signal && { signal }) });
}
