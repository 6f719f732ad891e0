import type { NdArray, SampleOptions } from "unnoise";
import type { Drawer } from "../common/drawer.ts";

/** A way to walk from noise to pictures. */
export interface Way {
  readonly name: string;
  /** In a few words, what it does. */
  readonly idea: string;
  readonly options: Pick<SampleOptions, "sampler" | "timestepSpacing" | "eta">;
}

export const ways: readonly Way[] = [
  { name: "DDPM", idea: "fresh noise in every step", options: { sampler: "ddpm" } },
  { name: "DDIM", idea: "the same steps without noise", options: { sampler: "ddim" } },
  { name: "DPM-Solver++", idea: "looks at how the curve bends", options: { sampler: "dpmSolver++2M" } },
  {
    name: "DPM-Solver++, Karras",
    idea: "and takes small steps where there is little noise",
    options: { sampler: "dpmSolver++2M", timestepSpacing: "karras" },
  },
];

export interface SamplersSettings {
  readonly seed: number;
  readonly steps: number;
  readonly batchSize: number;
}

export function samplerOptions({ options }: Way, { seed, steps, batchSize }: SamplersSettings): SampleOptions {
  return { ...options, steps, seed, batchSize, imageSize: 28 };
}

/** Draws one way from the noise of the seed. */
export function drawWay(
  { model, diffusion, backend }: Drawer,
  way: Way,
  settings: SamplersSettings,
  signal?: AbortSignal,
): Promise<NdArray> {
  return diffusion.sample(model, { ...samplerOptions(way, settings), backend, ...(signal && { signal }) });
}
