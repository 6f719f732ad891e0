import type { TrainingSettings } from "../checkpoint/training-settings.ts";
import { conditionShapes } from "../data/dataset.ts";
import type { ImageDataset } from "../data/dataset.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import type { DiffusionModel } from "../models/model.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor, iota } from "../tensor/tensor.ts";

/** @throws one line, if a model cannot be trained for a diffusion on a dataset */
export function checkTrainable(
  model: DiffusionModel,
  diffusion: Diffusion,
  dataset: ImageDataset,
  settings: TrainingSettings,
): void {
  checkImages(model, diffusion, dataset);
  checkClasses(model, dataset);
  checkConditions(model, dataset);
  checkLowres(model, dataset, settings);
}

/** Traces the model on one image, so that it says at once what it cannot take or should return. */
function checkImages(model: DiffusionModel, diffusion: Diffusion, { name, height, width, channels }: ImageDataset) {
  if (channels !== model.channels) {
    throw new Error(`Trainer: the model takes ${model.channels} channels, the images of ${name} have ${channels}`);
  }
  const image = new Tensor({ kind: "input", index: 0, shape: [1, height, width, channels], dtype: "f32" });
  if (model.predicts === "classes") model.forward(image, iota([1]));
  else diffusion.modelOutput(model, image, iota([1]));
}

function checkClasses({ numClasses }: DiffusionModel, { name, labels, classNames }: ImageDataset): void {
  if (numClasses === 0) return;
  if (!labels) throw new Error(`Trainer: the model takes ${numClasses} classes, the images of ${name} have none`);
  const count = classNames?.length ?? labels.reduce((most, label) => Math.max(most, label + 1), 0);
  if (count === numClasses) return;
  throw new Error(`Trainer: the model takes ${numClasses} classes, the images of ${name} are of ${count}`);
}

/** @throws one line, if the dataset tells nothing of what the model takes, or something of another shape */
function checkConditions({ conditions }: DiffusionModel, dataset: ImageDataset): void {
  const told = conditionShapes(dataset);
  for (const [name, { shape, source, goesWith }] of Object.entries(conditions)) {
    if (source !== "dataset" || shape === "image") continue;
    const given = told[name];
    if (!given && goesWith === undefined) {
      throw new Error(`Trainer: the model takes ${name}, the images of ${dataset.name} have none`);
    }
    if (!given || (given.length === shape.length && shape.every((size, i) => (size ?? given[i]) === given[i])))
      continue;
    const need = `[${shape.map((size) => size ?? "any").join(",")}]`;
    const have = formatShape(given);
    throw new Error(
      `Trainer: the model takes ${name} of ${need} for each image, those of ${dataset.name} have ${have}`,
    );
  }
}

function checkLowres({ conditions }: DiffusionModel, dataset: ImageDataset, { lowresFactor }: TrainingSettings): void {
  const { name, height, width } = dataset;
  if (!conditions.lowresCondImg || (height % lowresFactor === 0 && width % lowresFactor === 0)) return;
  throw new Error(
    `Trainer: height and width must be divisible by lowresFactor, ${lowresFactor}, those of ${name} are ${height} x ${width}`,
  );
}
