import { join } from "node:path";
import type { Backend } from "../../../backend/backend.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { Diffusion } from "../../../diffusion/diffusion.ts";
import { rhoOf } from "../../../diffusion/process/noise-level.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { classifierAccuracy } from "../../../training/classifier-accuracy.ts";
import { programName, shellWord } from "../../program-name.ts";

/** Images whose classes a classifier is asked for at the end of its training. */
const IMAGES = 500;
/** Levels of noise at which it is asked. */
const LEVELS = 5;

/** What a trained classifier of noisy images can do, and what to do with it, line by line. */
export async function classifierReport(
  path: string,
  classifier: DiffusionModel,
  diffusion: Diffusion,
  dataset: ImageDataset,
  backend: Backend,
): Promise<string[]> {
  const levels = diffusion.plan({ sampler: "euler", steps: LEVELS }).steps.map(({ level }) => level);
  const shares = await classifierAccuracy(classifier, dataset, { levels, images: IMAGES, backend });
  const told = shares.map((share, i) => `${(100 * share).toFixed(0)} % at noise ${rhoOf(levels[i]).toPrecision(2)}`);
  return [
    `It tells the classes of ${Math.min(IMAGES, dataset.length)} of the images it learned from:`,
    `${told.toReversed().join(", ")} (its deviation beside pixels from -1 to 1).`,
    "",
    `${join(path, "checkpoints")}     the classifier (safetensors)`,
    "",
    `Guide a model:  ${programName()} sample --checkpoint <run> --classifier ${shellWord(path)} --class 0 --guidance 3`,
  ];
}
