import { sizes } from "../../src/bench/sizes.ts";
import type { Size } from "../../src/bench/sizes.ts";
import type { StableDiffusionSize } from "../../src/bench/gpu/stable-diffusion.ts";

/** A training step that is timed. */
export interface StepPlan extends Pick<Size, "title" | "network" | "imageSize"> {
  readonly batchSize: number;
  readonly steps: number;
}

/** What the run does, by how much there is of it. */
export interface GpuPlan {
  /** Side of the square matrices that are multiplied, and whose products are compared with the processor's. */
  readonly product: number;
  readonly article: StepPlan;
  /** Turns that each takes at the article's step. */
  readonly rounds: number;
  readonly wide: readonly StepPlan[];
  readonly stableDiffusion: StableDiffusionSize & { readonly passes: number };
  /** Bytes of a copy, and dispatches that do nothing. */
  readonly copyBytes: number;
  readonly dispatches: number;
  /** Seconds after which no part begins. */
  readonly seconds: number;
  /** Seconds that each part may take. */
  readonly limits: {
    readonly machine: number;
    readonly peer: number;
    readonly values: number;
    readonly article: number;
    readonly wide: number;
    readonly kernels: number;
    readonly stableDiffusion: number;
    readonly experiments: number;
  };
}

/** Eight minutes of a large GPU. */
export const WHOLE: GpuPlan = {
  product: 2048,
  article: { ...sizes.dim28, batchSize: 128, steps: 10 },
  rounds: 3,
  wide: [
    { ...sizes.dim128, batchSize: 16, steps: 10 },
    { ...sizes.dim128, batchSize: 128, steps: 10 },
  ],
  stableDiffusion: { batchSize: 2, latent: 64, passes: 5 },
  copyBytes: 256 << 20,
  dispatches: 2000,
  seconds: 480,
  limits: {
    machine: 45,
    peer: 60,
    values: 60,
    article: 150,
    wide: 75,
    kernels: 20,
    stableDiffusion: 45,
    experiments: 75,
  },
};

const tiny = {
  title: "8 channels, 8x8x1",
  network: { architecture: "unet", dim: 8, dimMults: [1], channels: 1 },
  imageSize: 8,
} as const;

/** The same in small, which a driver in software does in minutes: to try the run itself. */
export const SMALL: GpuPlan = {
  product: 96,
  article: { ...tiny, batchSize: 2, steps: 1 },
  rounds: 1,
  wide: [{ ...tiny, batchSize: 4, steps: 1 }],
  stableDiffusion: { batchSize: 1, latent: 8, narrower: 10, passes: 1 },
  copyBytes: 4 << 20,
  dispatches: 100,
  seconds: 1800,
  limits: {
    machine: 120,
    peer: 300,
    values: 300,
    article: 300,
    wide: 300,
    kernels: 120,
    stableDiffusion: 300,
    experiments: 300,
  },
};
