import type { Diffusion } from "../diffusion/diffusion.ts";
import { ElucidatedDiffusion } from "../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { betaSchedule } from "../diffusion/schedules.ts";
import { Unet } from "../nn/unet.ts";
import type { RunSettings } from "./run-settings.ts";

/** The U-Net of a run's settings, with weights of the seed. */
export function modelOf({ model, diffusion, training }: RunSettings, channels: number): Unet {
  const learnsVariance = diffusion.kind === "gaussian" && diffusion.varianceType === "learnedRange";
  const outDim = learnsVariance ? 2 * channels : channels;
  return new Unet({ ...model, channels, outDim, seed: training.seed });
}

/** The diffusion of a run's settings. */
export function diffusionOf({ diffusion }: RunSettings): Diffusion {
  if (diffusion.kind === "edm") return new ElucidatedDiffusion(diffusion);
  const { betaSchedule: schedule, timesteps, ...options } = diffusion;
  return new GaussianDiffusion({ ...options, betas: betaSchedule(schedule, timesteps) });
}
