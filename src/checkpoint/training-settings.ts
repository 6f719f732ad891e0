import * as z from "zod/mini";
import { optimizerNames } from "../optim/optimizers.ts";
import {
  flag,
  fraction,
  numberWithin,
  oneOf,
  options,
  positiveNumber,
  wholeNumber,
  withDefault,
} from "../config/rules.ts";

/**
 * How a model is trained. The names are those of denoising-diffusion-pytorch and diffusers where they have the
 * same thing.
 */
export const trainingSettings = options({
  /** Images per micro-batch. */
  batchSize: wholeNumber(1),
  /** Micro-batches whose gradients are averaged into one step. */
  gradientAccumulateEvery: withDefault(wholeNumber(1), 1),
  /** What turns gradients into steps. */
  optimizer: withDefault(oneOf(optimizerNames), "adam"),
  learningRate: positiveNumber(),
  learningRateSchedule: withDefault(oneOf(["constant", "cosine"]), "constant"),
  warmupSteps: withDefault(wholeNumber(0), 0),
  finalLearningRateFraction: withDefault(numberWithin(0, 1), 0.1),
  /** Adam's decay rates of the two moments. */
  adamBetas: withDefault(z.tuple([fraction(), fraction()]), [0.9, 0.999]),
  adamEpsilon: withDefault(positiveNumber(), 1e-8),
  /** How far parameters shrink, of the optimizers `adamw` (by default 0.01) and `sgd` (0). */
  weightDecay: z.optional(numberWithin(0, Number.MAX_VALUE)),
  /** Of the optimizer `sgd`. */
  momentum: withDefault(fraction(), 0),
  /** Nesterov's momentum, of the optimizer `sgd`. */
  nesterov: withDefault(flag(), false),
  /** The global norm that gradients are clipped to; 0 clips nothing. */
  maxGradNorm: withDefault(numberWithin(0, Number.MAX_VALUE), 0),
  /** Decay of the average of the parameters that samples are drawn with; 0 keeps no average. */
  emaDecay: withDefault(fraction(), 0.995),
  emaUpdateEvery: withDefault(wholeNumber(1), 10),
  /** How timesteps are drawn: `importance` goes by their losses (Nichol & Dhariwal 2021), against the bound's noise. */
  scheduleSampler: withDefault(oneOf(["uniform", "importance"]), "uniform"),
  /** Mirrors half of the images, picked at random. */
  randomHorizontalFlip: withDefault(flag(), false),
  /**
   * Share of the images whose classes, vectors and contexts are withheld from a conditional model, so that it also learns
   * what guidance needs: the images of nothing in particular. Ho & Salimans (2022, 2207.12598) found 0.1 and 0.2 equally good.
   */
  condDropProb: withDefault(fraction(), 0.1),
  /** How many times smaller in each side a model with `lowresCond` is shown the images: 4 from 64 x 64 to 256 x 256. */
  lowresFactor: withDefault(wholeNumber(2), 4),
  /** Share of the images that no step sees, and whose loss is measured instead; 0 for none. */
  validationSplit: withDefault(fraction(), 0),
  /** Steps between measurements; the last step is one too. */
  validateEvery: withDefault(wholeNumber(1), 500),
  /** All randomness of a run follows from it. */
  seed: withDefault(wholeNumber(0, 2 ** 32 - 1), 0),
});

export type TrainingSettings = z.infer<typeof trainingSettings>;
/** The settings as a user gives them: what has a default may be left away. */
export type TrainingSettingsInput = z.input<typeof trainingSettings>;
