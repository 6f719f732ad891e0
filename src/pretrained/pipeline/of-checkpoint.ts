import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../checkpoint/from-checkpoint.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import type { UsualSampling } from "../../diffusion/samplers/usual-sampling.ts";
import { schedulerOf } from "../../diffusion/schedulers/of-diffusion.ts";
import { schedulerOfSampling } from "../../diffusion/schedulers/of-sampler.ts";
import type { SchedulerName } from "../../diffusion/schedulers/scheduler.ts";
import { DiffusionPipeline } from "./pipeline.ts";
import type { ModelCard } from "./model-card.ts";
import { configOf } from "./save.ts";

/** The classes that DDPMPipeline of diffusers steps with: it scales no input, and gives a generator to every step. */
const STEPPED: readonly SchedulerName[] = ["DDPMScheduler", "DDIMScheduler", "DPMSolverMultistepScheduler"];

function drawsIn(sampling: UsualSampling | undefined): sampling is UsualSampling {
  return sampling !== undefined && STEPPED.includes(schedulerOfSampling(sampling).as);
}

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
  const scheduler = drawsIn(diffusion.sampling) ? schedulerOf(diffusion) : schedulerOf(diffusion, "DDPMScheduler");
  return new DiffusionPipeline({ model, scheduler });
}

/** What a card can tell of a checkpoint. */
export function cardOfCheckpoint({ config, step }: Checkpoint): ModelCard {
  const { dataset, training, diffusion } = config;
  const images = training.batchSize * training.gradientAccumulateEvery;
  const count = (n: number): string => n.toLocaleString("en-US");
  return {
    trainedOn: `${count(dataset.length)} images of ${dataset.width} x ${dataset.height} pixels, ${nameOf(dataset.name)}`,
    ...(dataset.name.startsWith("hub:") && { dataset: dataset.name.slice("hub:".length).split(":", 1)[0] }),
    training: [
      `${count(step)} steps of ${count(images)} images, ${training.optimizer}, learning rate ${training.learningRate}`,
    ],
    seed: training.seed,
    steps: drawsIn(diffusion.sampling) ? diffusion.sampling.steps : undefined,
  };
}

/** A dataset's name without the folders that a path has on somebody's machine. */
function nameOf(dataset: string): string {
  return dataset.startsWith("hub:") ? dataset : dataset.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "");
}
