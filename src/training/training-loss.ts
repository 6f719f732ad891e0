import { lowresConditions } from "../diffusion/sampling/cascade.ts";
import { logLikelihood } from "../diffusion/sampling/classifier.ts";
import type { NoisyClassifier } from "../diffusion/sampling/classifier.ts";
import type { Denoiser } from "../diffusion/denoiser.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import type { ConditionDeclarations, Conditions } from "../models/conditions/declaration.ts";
import { RandomStream } from "../tensor/random.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImportanceSampler } from "./importance-sampler.ts";

export interface TrainingLossOptions {
  /** Mirrors half of the images, picked at random. */
  readonly randomHorizontalFlip: boolean;
  /** Feeds the network's own first estimate of the clean images back to it (Chen et al. 2022, 2208.04202). */
  readonly withEstimate: boolean;
  /** u32 scalar: these images are those from this one on of a larger batch, and get what is random there; 0 without. */
  readonly firstImage?: Tensor | undefined;
  /** What the network is told of the images; for a classifier their classes. */
  readonly conditions?: Readonly<Record<string, Tensor>>;
  /** Share of the images of which it is told nothing, picked at random; 0 without. */
  readonly condDropProb?: number | undefined;
  /** How many times smaller in each side a model with `lowresCond` is shown the images; 4 without. */
  readonly lowresFactor?: number | undefined;
  /** Draws the timesteps; without it the diffusion does. */
  readonly scheduleSampler?: ImportanceSampler | undefined;
}

/** A network to train; one that predicts classes is trained to tell them. */
type Trained =
  | Denoiser
  | (NoisyClassifier & { readonly predicts: "classes"; readonly conditions: ConditionDeclarations });

export interface TrainingLoss {
  /** A scalar, the mean over the batch. */
  readonly loss: Tensor;
  /** What the network was told of the noise, [batch]. */
  readonly t: Tensor;
  /** Each image's own loss, [batch]. */
  readonly losses: Tensor;
}

/**
 * Lines 2 to 5 of Algorithm 1 of Ho et al. (2020, 2006.11239), from bytes to the loss: all that is random is drawn
 * from the key. A classifier sees the same noisy images, and its loss is the cross-entropy.
 *
 * @param bytes f32 [batch, height, width, channels] from 0 to 255
 * @param key u32 [2]
 */
export function trainingLoss(
  model: Trained,
  diffusion: Diffusion,
  bytes: Tensor,
  key: Tensor,
  options: TrainingLossOptions,
): TrainingLoss {
  const random = new RandomStream([word(key, 0), word(key, 1)], options.firstImage);
  const mirrored = options.randomHorizontalFlip ? flipRandomly(bytes, random) : bytes;
  const xStart = mirrored.divide(255).multiply(2).subtract(1);
  const [batch] = xStart.shape;
  const drawn = options.scheduleSampler?.draw(random, batch);
  const t = drawn?.t ?? diffusion.drawTimes(random, batch);
  const noise = random.normal(xStart.shape);
  const lowres =
    model.conditions?.lowresCondImg && lowresConditions(diffusion, xStart, options.lowresFactor ?? 4, random);
  const told = { ...conditionsOf(options, t.shape, random), ...lowres };
  const losses = isClassifier(model)
    ? crossEntropies(model, diffusion.qSample(xStart, t, noise), t, told)
    : denoisingLosses(model, diffusion, { xStart, t, noise }, told, options);
  return { loss: (drawn ? losses.multiply(drawn.weights) : losses).mean(), t, losses };
}

/** What line 5 of Algorithm 1 asks about: clean images, the time, and the noise added to them. */
interface Noised {
  readonly xStart: Tensor;
  readonly t: Tensor;
  readonly noise: Tensor;
}

function denoisingLosses(
  model: Denoiser,
  diffusion: Diffusion,
  { xStart, t, noise }: Noised,
  told: Conditions,
  { withEstimate }: TrainingLossOptions,
): Tensor {
  const estimate = (): Tensor => diffusion.estimateXStart(model, diffusion.qSample(xStart, t, noise), t, told);
  const conditions = withEstimate ? { ...told, selfCondition: estimate() } : told;
  return diffusion.losses(model, xStart, t, noise, conditions);
}

function isClassifier(model: Trained): model is NoisyClassifier & Extract<Trained, { readonly predicts: "classes" }> {
  return "predicts" in model && model.predicts === "classes";
}

function crossEntropies(model: NoisyClassifier, x: Tensor, t: Tensor, { classes }: Conditions): Tensor {
  if (!classes) throw new Error("internal: a classifier is trained on classes");
  return logLikelihood(model, x, t, classes).negate();
}

/** Line 3 of Algorithm 1 of Ho & Salimans (2022, 2207.12598): conditions are withheld with some probability. */
function conditionsOf(
  { conditions = {}, condDropProb = 0 }: TrainingLossOptions,
  shape: Shape,
  random: RandomStream,
): Conditions {
  const isTold = Object.values(conditions).some((condition) => condition !== undefined);
  if (!isTold || condDropProb === 0) return conditions;
  return { ...conditions, keepMask: random.uniform(shape).compare("ge", condDropProb) };
}

/** Mirrors each image left to right with probability 1/2. */
function flipRandomly(images: Tensor, random: RandomStream): Tensor {
  const batch = images.shape[0];
  const isFlipped = random.uniform([batch]).compare("lt", 0.5).reshape([batch, 1, 1, 1]);
  return isFlipped.select(images.reverse(2), images);
}

function word(key: Tensor, index: number): Tensor {
  return key.slice(0, index, index + 1).reshape([]);
}
