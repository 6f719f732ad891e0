import type { NdArray, SampleOptions } from "unnoise";
import type { Drawer } from "../common/drawer.ts";

export interface GuidanceSettings {
  readonly seed: number;
  /** From 0, as if nothing was said, through 1, as it is said, to more. */
  readonly scale: number;
  /** Number of the class; -1 for each of the ten in turn. */
  readonly garment: number;
  /** Share of the contrast that is given back, 0 to 1. */
  readonly rescale: number;
  readonly batchSize: number;
}

export const STEPS = 10;

export function guidanceOptions({ seed, scale, garment, rescale, batchSize }: GuidanceSettings): SampleOptions {
  const classes = Array.from({ length: batchSize }, (_, i) => (garment < 0 ? i % 10 : garment));
  return {
    sampler: "dpmSolver++2M",
    timestepSpacing: "karras",
    steps: STEPS,
    seed,
    imageSize: 28,
    classes,
    condScale: scale,
    rescaledPhi: rescale,
  };
}

/** Draws what it is told, from the same noise for every setting of a seed. */
export function guided(
  { model, diffusion, backend }: Drawer,
  settings: GuidanceSettings,
  signal?: AbortSignal,
): Promise<NdArray> {
  return diffusion.sample(model, { ...guidanceOptions(settings), backend, ...(signal && { signal }) });
}

/** Mean distance of two images of a batch, by the pixel: how various they are. */
export function variety({ data, shape: [count] }: NdArray): number {
  const size = data.length / count;
  let [sum, pairs] = [0, 0];
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < a; b++, pairs++) {
      let squares = 0;
      for (let i = 0; i < size; i++) squares += (data[a * size + i] - data[b * size + i]) ** 2;
      sum += Math.sqrt(squares / size);
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
}
