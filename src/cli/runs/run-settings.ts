import * as z from "zod/mini";
import { betaScheduleNames } from "../../diffusion/process/schedules.ts";
import {
  elucidatedSettings,
  gaussianSettings,
  rectifiedFlowSettings,
  scoreSettings,
} from "../../checkpoint/diffusion-config.ts";
import { modelConfig } from "../../models/registry.ts";
import { imageSizeRule } from "../../config/image-size.ts";
import { flag, oneOf, options, wholeNumber, withDefault } from "../../config/rules.ts";
import { trainingSettings } from "../../checkpoint/training-settings.ts";

const [firstSchedule, ...otherSchedules] = betaScheduleNames;

/** An architecture with its options, but for those that follow from the data, the diffusion and the training. */
const modelSettings = z.pipe(
  modelConfig,
  z.transform(({ channels: _, outDim: __, seed: ___, ...model }) => model),
);

/** Everything that `unnoise train` is told, by a preset and by flags. It is kept in a run's config.json. */
export const runSettings = options({
  preset: z.string(),
  /** fashion-mnist, mnist, cifar10, hub:<dataset>, or a path. */
  data: z.string(),
  /** Height and width of the images of a directory; without it they are chosen from the images, as are the channels. */
  imageSize: z.optional(imageSizeRule),
  /** Channels of the images of a directory. */
  channels: z.optional(wholeNumber(1, 3)),
  /** Whether a directory's subdirectories are classes. */
  classes: withDefault(flag(), true),
  /** Whether images that cannot be read are left out. */
  skipBroken: withDefault(flag(), false),
  model: modelSettings,
  diffusion: z.discriminatedUnion("kind", [
    options({
      ...gaussianSettings.shape,
      betaSchedule: oneOf([firstSchedule, ...otherSchedules]),
      /** Whether its betas are those of a thousand timesteps, times 1000 / timesteps. */
      scaleBetas: withDefault(flag(), false),
      /** Evaluations of the network per sample; all timesteps without it. */
      samplingTimesteps: z.optional(wholeNumber(1)),
      ddimSamplingEta: withDefault(gaussianSettings.shape.ddimSamplingEta, 0),
    }),
    elucidatedSettings,
    rectifiedFlowSettings,
    scoreSettings,
  ]),
  training: trainingSettings,
  length: z.union([options({ steps: wholeNumber(1) }), options({ epochs: wholeNumber(1) })]),
  /** Steps between checkpoints. */
  saveEvery: wholeNumber(1),
  /** Steps between grids of samples; 0 draws none before the end. */
  sampleEvery: wholeNumber(0),
  /** Checkpoints that stay. */
  keep: withDefault(wholeNumber(1), 3),
  /** Images of the grid at the end. */
  samples: withDefault(wholeNumber(1), 64),
});

export type RunSettings = z.infer<typeof runSettings>;
export type RunSettingsInput = z.input<typeof runSettings>;
