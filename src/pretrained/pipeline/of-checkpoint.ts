import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../checkpoint/from-checkpoint.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import type { Objective } from "../../diffusion/objectives/objective.ts";
import { linearBetaSchedule, squaredcosCapV2BetaSchedule } from "../../diffusion/process/schedules.ts";
import type { Betas } from "../../diffusion/process/schedules.ts";
import { schedulerFromConfig } from "../../diffusion/schedulers/scheduler.ts";
import { DiffusionPipeline } from "./pipeline.ts";
import type { ModelCard } from "./model-card.ts";
import { configOf } from "./save.ts";

const predictions: Readonly<Record<Objective, string>> = {
  predNoise: "epsilon",
  predX0: "sample",
  predV: "v_prediction",
};

const variances = {
  fixedSmall: "fixed_small",
  fixedLarge: "fixed_large",

  learnedRange: "learned_range",
};

/**
 * A checkpoint's model as a DDPMPipeline of diffusers.
 *
 * @param options.ema the averages of the parameters, if there are any; default true
 * @throws Error of one line if diffusers has no such network, or no such diffusion
 */
export async function pipelineFromCheckpoint(
  checkpoint: Checkpoint,
  options: { readonly ema?: boolean | undefined } = {},
): Promise<DiffusionPipeline> {
  const diffusion = diffusionFromCheckpoint(checkpoint);
  if (!(diffusion instanceof GaussianDiffusion)) {
    throw new Error(
      `diffusers' DDPMPipeline needs a diffusion with timesteps, got ${checkpoint.config.diffusion.kind}`,
    );
  }
  const model = await modelFromCheckpoint(checkpoint, options);
  configOf(model);
  const { timesteps, objective, varianceType, clipDenoised, schedule } = diffusion;
  const config = {
    _class_name: "DDPMScheduler",
    num_train_timesteps: timesteps,
    prediction_type: predictions[objective],
    variance_type: variances[varianceType],
    clip_sample: clipDenoised,
    ...betasIn(schedule.betas),
  };
  return new DiffusionPipeline({ model, scheduler: schedulerFromConfig(config, "scheduler_config.json") });
}

/** What a card can tell of a checkpoint. */
export function cardOfCheckpoint({ config, step }: Checkpoint): ModelCard {
  const { dataset, training } = config;
  const images = training.batchSize * training.gradientAccumulateEvery;
  const count = (n: number): string => n.toLocaleString("en-US");
  return {
    trainedOn: `${count(dataset.length)} images of ${dataset.width} x ${dataset.height} pixels, ${nameOf(dataset.name)}`,
    ...(dataset.name.startsWith("hub:") && { dataset: dataset.name.slice("hub:".length).split(":", 1)[0] }),
    training: [
      `${count(step)} steps of ${count(images)} images, ${training.optimizer}, learning rate ${training.learningRate}`,
    ],
    seed: training.seed,
  };
}

/** A dataset's name without the folders that a path has on somebody's machine. */
function nameOf(dataset: string): string {
  return dataset.startsWith("hub:") ? dataset : dataset.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "");
}

/** A schedule by diffusers' name where it has it, and else number by number. */
function betasIn(betas: Betas): Readonly<Record<string, unknown>> {
  const isLike = (others: Betas): boolean => betas.every((beta, t) => Math.abs(beta - others[t]) <= 1e-6 * beta);
  const last = betas.length - 1;
  if (isLike(linearBetaSchedule(betas.length)))
    return { beta_schedule: "linear", beta_start: betas[0], beta_end: betas[last] };
  if (isLike(squaredcosCapV2BetaSchedule(betas.length))) return { beta_schedule: "squaredcos_cap_v2" };
  return { trained_betas: [...betas] };
}
