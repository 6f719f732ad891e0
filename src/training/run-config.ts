import * as z from "zod/mini";
import type { ImageDataset } from "../data/dataset.ts";
import type { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { flag, numberWithin, oneOf, positiveNumber, wholeNumber, withDefault } from "./rules.ts";
import { trainingSettings } from "./settings.ts";
import type { TrainingSettings } from "./settings.ts";
import { architectureOf, architectures } from "./trained-model.ts";
import type { TrainedModel } from "./trained-model.ts";

/** What a model is and every option of it, as `Unet.options` gives them. */
export const unetSettings = z.strictObject({
  architecture: withDefault(oneOf(architectures), "unet"),
  dim: wholeNumber(4, 4096),
  initDim: wholeNumber(1),
  outDim: wholeNumber(1),
  dimMults: z.array(wholeNumber(1)).check(z.minLength(1)),
  channels: wholeNumber(1),
  selfCondition: flag(),
  numClasses: withDefault(wholeNumber(0), 0),
  vectorDim: withDefault(wholeNumber(0), 0),
  contextDim: withDefault(wholeNumber(0), 0),
  resnetBlockGroups: wholeNumber(1),
  attentionHeads: wholeNumber(1, 256),
  attentionDimHead: wholeNumber(1, 1024),
  weightStandardization: oneOf(["standardized", "printed"]),
  seed: wholeNumber(0, 2 ** 32 - 1),
});

/** Every option of a GaussianDiffusion but the betas, which a checkpoint holds as a tensor. */
export const diffusionSettings = z.strictObject({
  timesteps: wholeNumber(1),
  lossType: oneOf(["l1", "l2", "huber", "vlb"]),
  varianceType: withDefault(oneOf(["fixedSmall", "fixedLarge", "learnedRange"]), "fixedSmall"),
  vbLossWeight: withDefault(numberWithin(0, Number.MAX_VALUE), 0.001),
  objective: oneOf(["predNoise", "predX0", "predV"]),
  clipDenoised: flag(),
  samplingTimesteps: wholeNumber(1),
  ddimSamplingEta: numberWithin(0, 1),
  minSnrLossWeight: withDefault(flag(), false),
  minSnrGamma: withDefault(positiveNumber(), 5),
  p2LossWeightGamma: withDefault(numberWithin(0, 100), 0),
  p2LossWeightK: withDefault(positiveNumber(), 1),
});

/** The images that a model was trained on. */
export const datasetSettings = z.strictObject({
  name: z.string(),
  length: wholeNumber(1),
  height: wholeNumber(1),
  width: wholeNumber(1),
  channels: wholeNumber(1),
  /** What a class-conditional model's classes are called. */
  classNames: z.optional(z.array(z.string())),
});

/** What a run is: enough to build its model again, to go on with its training, and to sample. */
export const runConfig = z.strictObject({
  model: unetSettings,
  diffusion: diffusionSettings,
  training: trainingSettings,
  dataset: datasetSettings,
});

export type RunConfig = z.infer<typeof runConfig>;

/** The config of a run with these parts. */
export function configOf(
  model: TrainedModel,
  diffusion: GaussianDiffusion,
  training: TrainingSettings,
  dataset: ImageDataset,
): RunConfig {
  const { timesteps, lossType, objective, clipDenoised, samplingTimesteps, ddimSamplingEta } = diffusion;
  const { varianceType, vbLossWeight } = diffusion;
  const { minSnrLossWeight, minSnrGamma, p2LossWeightGamma, p2LossWeightK } = diffusion;
  const weights = { minSnrLossWeight, minSnrGamma, p2LossWeightGamma, p2LossWeightK };
  const { name, length, height, width, channels } = dataset;
  // What other models are trained on may change its names.
  const classNames = model.numClasses > 0 ? classNamesOf(dataset, model.numClasses) : undefined;
  return {
    model: { architecture: architectureOf(model), ...model.options, dimMults: [...model.options.dimMults] },
    diffusion: {
      timesteps,
      lossType,
      objective,
      clipDenoised,
      samplingTimesteps,
      ddimSamplingEta,
      varianceType,
      vbLossWeight,
      ...weights,
    },
    training,
    dataset: { name, length, height, width, channels, ...(classNames && { classNames }) },
  };
}

/** Names for a dataset's classes, their numbers where it has none. */
function classNamesOf({ classNames }: ImageDataset, count: number): string[] {
  return Array.from({ length: count }, (_, i) => classNames?.[i] ?? String(i));
}

/** Settings that another run may not differ in if it goes on from a checkpoint, as paths into the config. */
const FIXED = {
  model: [
    "architecture",
    "dim",
    "initDim",
    "outDim",
    "dimMults",
    "channels",
    "selfCondition",
    "numClasses",
    "vectorDim",
    "contextDim",
    "resnetBlockGroups",
    "attentionHeads",
    "attentionDimHead",
    "weightStandardization",
  ],
  diffusion: ["timesteps", "lossType", "objective", "varianceType"],
  training: ["batchSize", "gradientAccumulateEvery", "randomHorizontalFlip", "condDropProb", "scheduleSampler", "seed"],
  dataset: ["length", "height", "width", "channels", "classNames"],
} as const;

/** Where a run and a checkpoint differ in what must not: one line per setting. */
export function configProblems(own: RunConfig, checkpoint: RunConfig): string[] {
  return Object.entries(FIXED).flatMap(([section, names]) =>
    names.flatMap((name) => {
      const [here, there] = [own, checkpoint].map((config) => {
        return JSON.stringify((config[section as keyof RunConfig] as Record<string, unknown>)[name]);
      });
      return here === there ? [] : [`${section}.${name} is ${there} there and ${here} here`];
    }),
  );
}
