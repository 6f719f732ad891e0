import { z } from "zod";
import { betaScheduleNames } from "../diffusion/schedules.ts";
import { diffusionSettings, unetSettings } from "../training/run-config.ts";
import { oneOf, wholeNumber } from "../training/rules.ts";
import { trainingSettings } from "../training/settings.ts";

const [firstSchedule, ...otherSchedules] = betaScheduleNames;
const unet = unetSettings.shape;

/** Everything that `unnoise train` is told, by a preset and by flags. It is kept in a run's config.json. */
export const runSettings = z.strictObject({
  preset: z.string(),
  /** fashion-mnist, mnist, or a path. */
  data: z.string(),
  /** Height and width of the images of a directory. */
  imageSize: wholeNumber(1).default(28),
  /** Channels of the images of a directory. */
  channels: wholeNumber(1, 3).default(1),
  model: z.strictObject({
    dim: unet.dim,
    dimMults: unet.dimMults,
    selfCondition: unet.selfCondition.default(false),
    numClasses: unet.numClasses,
    resnetBlockGroups: unet.resnetBlockGroups.default(4),
    attentionHeads: unet.attentionHeads.default(4),
    attentionDimHead: unet.attentionDimHead.default(32),
    weightStandardization: unet.weightStandardization.default("standardized"),
  }),
  diffusion: z.strictObject({
    ...diffusionSettings.shape,
    betaSchedule: oneOf([firstSchedule, ...otherSchedules]),
    /** Evaluations of the network per sample; all timesteps without it. */
    samplingTimesteps: wholeNumber(1).optional(),
    ddimSamplingEta: diffusionSettings.shape.ddimSamplingEta.default(0),
  }),
  training: trainingSettings,
  length: z.union([z.strictObject({ steps: wholeNumber(1) }), z.strictObject({ epochs: wholeNumber(1) })]),
  /** Steps between checkpoints. */
  saveEvery: wholeNumber(1),
  /** Steps between grids of samples; 0 draws none before the end. */
  sampleEvery: wholeNumber(0),
  /** Checkpoints that stay. */
  keep: wholeNumber(1).default(3),
  /** Images of the grid at the end. */
  samples: wholeNumber(1).default(64),
});

export type RunSettings = z.infer<typeof runSettings>;
export type RunSettingsInput = z.input<typeof runSettings>;
