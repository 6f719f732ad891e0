import type { Diffusion } from "../../diffusion/diffusion.ts";
import { diffusionOfConfig } from "../../checkpoint/diffusion-config.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import { betaSchedule } from "../../diffusion/process/schedules.ts";
import type { DiffusionModel } from "../../models/model.ts";
import { newModel } from "../../models/registry.ts";
import type { RunSettings } from "./run-settings.ts";

/** The model of a run's settings, with weights of the seed. */
export function modelOf({ model, diffusion, training }: RunSettings, channels: number): DiffusionModel {
  const learnsVariance = diffusion.kind === "gaussian" && diffusion.varianceType === "learnedRange";
  const outDim = learnsVariance ? 2 * channels : channels;
  const { architecture, ...options } = model;
  return newModel(architecture, { ...options, channels, outDim, seed: training.seed });
}

/** The diffusion of a run's settings. */
export function diffusionOf({ diffusion }: RunSettings): Diffusion {
  if (diffusion.kind !== "gaussian") return diffusionOfConfig(diffusion);
  const { kind: _, betaSchedule: schedule, scaleBetas: scale, timesteps, ...options } = diffusion;
  return new GaussianDiffusion({ ...options, betas: betaSchedule(schedule, timesteps, { scale }) });
}
