import * as z from "zod/mini";
import { conditionShapes } from "../data/dataset.ts";
import type { ImageDataset } from "../data/dataset.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import { diffusionConfigOf, diffusionSettings } from "./diffusion-config.ts";
import { listOf, options, wholeNumber } from "../config/rules.ts";
import { trainingSettings } from "./training-settings.ts";
import type { TrainingSettings } from "./training-settings.ts";
import type { DiffusionModel } from "../models/model.ts";
import { architectureNamed, modelConfig, modelConfigOf } from "../models/registry.ts";

/** The images that a model was trained on. */
const datasetSettings = options({
  name: z.string(),
  length: wholeNumber(1),
  height: wholeNumber(1),
  width: wholeNumber(1),
  channels: wholeNumber(1),
  /** What a class-conditional model's classes are called. */
  classNames: z.optional(z.array(z.string())),
  /** Shapes of what else the model is told of each image, by name. */
  conditions: z.optional(z.record(z.string(), listOf(wholeNumber(0)))),
  /** Tokens of its context, in files from before `conditions` were there. */
  contextLength: z.optional(wholeNumber(1)),
});

/** What a run is: enough to build its model again, to go on with its training, and to sample. */
export const runConfig = options({
  model: modelConfig,
  diffusion: diffusionSettings,
  training: trainingSettings,
  dataset: datasetSettings,
});

export type RunConfig = z.infer<typeof runConfig>;

/** The config of a run with these parts. */
export function configOf(
  model: DiffusionModel,
  diffusion: Diffusion,
  training: TrainingSettings,
  dataset: ImageDataset,
): RunConfig {
  const { name, length, height, width, channels } = dataset;
  const { classes: _, ...told } = toldShapes(model, dataset);
  // What other models are trained on may change its names.
  const classNames = model.numClasses > 0 ? classNamesOf(dataset, model.numClasses) : undefined;
  return {
    model: modelConfigOf(model),
    diffusion: diffusionConfigOf(diffusion),
    training,
    dataset: {
      name,
      length,
      height,
      width,
      channels,
      ...(classNames && { classNames }),
      ...(Object.keys(told).length > 0 && { conditions: told }),
    },
  };
}

/** Shapes of what a dataset tells a model of each image, by name. */
export function toldShapes(
  { conditions }: DiffusionModel,
  dataset: ImageDataset,
): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries(Object.entries(conditionShapes(dataset)).filter(([name]) => conditions[name]));
}

/** Names for a dataset's classes, their numbers where it has none. */
function classNamesOf({ classNames }: ImageDataset, count: number): string[] {
  return Array.from({ length: count }, (_, i) => classNames?.[i] ?? String(i));
}

/** Settings that another run may not differ in if it goes on from a checkpoint, by section; of the model see below. */
const FIXED = {
  diffusion: ["kind", "timesteps", "lossType", "objective", "varianceType", "sigmaData", "pMean", "pStd"],
  training: ["condDropProb", "lowresFactor", "scheduleSampler", "optimizer", "validationSplit", "seed"],
  dataset: ["height", "width", "channels", "classNames"],
} as const;

/** Where a run and a checkpoint differ in what must not: one line per setting. */
export function configProblems(own: RunConfig, checkpoint: RunConfig): string[] {
  const problems = Object.entries({ model: fixedOptions(own, checkpoint), ...FIXED }).flatMap(([section, names]) =>
    names.flatMap((name) => {
      const [here, there] = [own, checkpoint].map((config) => {
        return JSON.stringify((config[section as keyof RunConfig] as Record<string, unknown>)[name]);
      });
      return here === there ? [] : [`${section}.${name} is ${there} there and ${here} here`];
    }),
  );
  const [here, there] = [own.dataset, checkpoint.dataset];
  // A dataset may have got or lost images since, such as a directory. One of another name and length is another one.
  if (here.name !== there.name && here.length !== there.length)
    problems.push(`dataset is ${there.name} of ${there.length} there and ${here.name} of ${here.length} here`);
  return problems;
}

/** The options of a model that another run may not change. */
function fixedOptions(own: RunConfig, checkpoint: RunConfig): string[] {
  if (own.model.architecture !== checkpoint.model.architecture) return ["architecture"];
  const { adjustable = [] } = architectureNamed(own.model.architecture);
  const names = Object.keys({ ...own.model, ...checkpoint.model });
  return names.filter((name) => name !== "seed" && !adjustable.includes(name));
}
