import type { Diffusion } from "../../diffusion/diffusion.ts";
import type { DiffusionModel } from "../../models/model.ts";
import type { TrainingSettings } from "../../checkpoint/training-settings.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { TrainingTask } from "../task.ts";
import { denoising } from "./denoising.ts";
import { noisyClassification } from "./noisy-classification.ts";

type NewTask = (
  model: DiffusionModel,
  diffusion: Diffusion,
  settings: TrainingSettings,
  conditionShapes: Readonly<Record<string, Shape>>,
) => TrainingTask;

/** What a network is trained for, by what it predicts. */
const tasks: Readonly<Record<DiffusionModel["predicts"], NewTask>> = {
  images: (model, diffusion, { scheduleSampler, condDropProb, lowresFactor }, conditionShapes) =>
    denoising(model, diffusion, { scheduleSampler, condDropProb, lowresFactor, conditionShapes }),
  classes: (model, diffusion, { scheduleSampler }) => noisyClassification(model, diffusion, { scheduleSampler }),
};

/** The usual task of a network. @param conditionShapes shapes of what a dataset tells of each image, by name */
export const taskOf: NewTask = (model, ...rest) => tasks[model.predicts](model, ...rest);
