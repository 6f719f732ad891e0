import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../checkpoint/from-checkpoint.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import { schedulerOf } from "../../diffusion/schedulers/of-diffusion.ts";
import { DiffusionPipeline } from "./pipeline.ts";
import type { ModelCard } from "./model-card.ts";
import { configOf } from "./save.ts";

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
  return new DiffusionPipeline({ model, scheduler: schedulerOf(diffusion) });
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
    steps: diffusion.sampling?.steps,
  };
}

/** A dataset's name without the folders that a path has on somebody's machine. */
function nameOf(dataset: string): string {
  return dataset.startsWith("hub:") ? dataset : dataset.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "");
}
