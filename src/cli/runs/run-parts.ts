import type { Diffusion } from "../../diffusion/diffusion.ts";
import { ElucidatedDiffusion } from "../../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import { betaSchedule } from "../../diffusion/process/schedules.ts";
import { newModel } from "../../checkpoint/trained-model.ts";
import type { TrainedModel } from "../../checkpoint/trained-model.ts";
import type { RunSettings } from "./run-settings.ts";

/** The model of a run's settings, with weights of the seed. */
export function modelOf({ model, diffusion, training }: RunSettings, channels: number): TrainedModel {
  const learnsVariance = diffusion.kind === "gaussian" && diffusion.varianceType === "learnedRange";
  const outDim = learnsVariance ? 2 * channels : channels;
  return newModel(model.architecture, { ...model, channels, outDim, seed: training.seed });
}

/** The diffusion of a run's settings. */
export function diffusionOf({ diffusion }: RunSettings): Diffusion {
  if (diffusion.kind === "edm") return new ElucidatedDiffusion(diffusion);
  const { betaSchedule: schedule, timesteps, ...options } = diffusion;
  return new GaussianDiffusion({ ...options, betas: betaSchedule(schedule, timesteps) });
}
