import type { ConditionDeclarations, Conditions } from "../models/conditions/declaration.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A network that looks at noisy images and their timesteps; `Unet` is one. */
export interface Denoiser {
  /** Channels of the images that it takes and returns. */
  readonly channels: number;
  /** What it may be told of the images besides, by name; nothing without. */
  readonly conditions?: ConditionDeclarations;
  /**
   * From [batch, height, width, channels] and timesteps [batch] to the objective, shaped as the images; one that learns
   * its variance returns twice the channels, the objective first. Timesteps are i32, or f32 if a sampler asks between
   * them, as those over Karras noise levels do. Without its conditions it answers for images of any kind.
   */
  forward(x: Tensor, time: Tensor, conditions?: Conditions): Tensor;
}

/** @throws one line, if what plain JavaScript gives as a network is none, such as the promise of one */
export function checkDenoiser(what: string, model: unknown): void {
  if (model instanceof Promise) throw new Error(`${what}: model must be awaited, got a promise of it`);
  const isModel = typeof model === "object" && model !== null && "forward" in model && "channels" in model;
  if (!isModel) throw new Error(`${what}: model must be a network with forward and channels, got ${String(model)}`);
}

/**
 * The variance of p(x_(t-1) | x_t): that of the posterior or beta, the two choices of Ho et al. (2020), or one between
 * them for every value, which the network learns (Nichol & Dhariwal 2021, 2102.09672).
 */
export type VarianceType = "fixedSmall" | "fixedLarge" | "learnedRange";

export const varianceTypes: readonly [VarianceType, ...VarianceType[]] = ["fixedSmall", "fixedLarge", "learnedRange"];

/** @throws one line, if sampling asks for a learned variance of a model that has learned none */
export function checkLearnedVariance(asked: string | undefined, own: VarianceType | "none"): void {
  if (!asked?.startsWith("learned") || own === "learnedRange") return;
  throw new Error(`varianceType: ${asked} needs a model that learned its variance, this one has ${own}`);
}

/** The parts of a network's output, each shaped as the images. */
export interface ModelOutput {
  /** What the objective names. */
  readonly prediction: Tensor;
  /** v of {@link VarianceType} `learnedRange`, from -1 for the posterior's variance to 1 for beta. */
  readonly variance?: Tensor | undefined;
}

/** p(x_(t-1) | x_t), a normal distribution for every value. */
export interface ReverseStep {
  readonly mean: Tensor;
  readonly logVariance: Tensor;
}

/** Both views of one output. */
export interface Predictions {
  /** epsilon */
  readonly noise: Tensor;
  /** x_0 */
  readonly xStart: Tensor;
}

/** @throws one line unless a network's output has a shape */
export function checkedOutput(output: Tensor, what: string, required: Shape): Tensor {
  if (sameShape(output.shape, required)) return output;
  const [need, got] = [formatShape(required), formatShape(output.shape)];
  throw new Error(`diffusion: the model must return ${what}, ${need}, got ${got}`);
}
