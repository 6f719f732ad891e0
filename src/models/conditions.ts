import type { DType } from "../tensor/dtype.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** One thing that a network may be told about each image. */
export interface ConditionDeclaration {
  /** Shape of one image's value; `null` is a length that may differ from batch to batch, `image` the images' own shape. */
  readonly shape: readonly (number | null)[] | "image";
  /** `time` is what the diffusion tells times in, i32 or f32. */
  readonly dtype: DType | "time";
  /** How many classes the value counts from 0; then shares of them, f32 [batch, numClasses], will do too. */
  readonly numClasses?: number;
  /** Whether something learned stands in for it where it is not told: what classifier-free guidance leads away from. */
  readonly nullable: boolean;
  /** Where training has it from: the dataset, the images themselves, or the network's own first answer. */
  readonly source: "dataset" | "images" | "estimate";
  /** Another condition without which it means nothing. */
  readonly goesWith?: string;
}

/** The conditions of a network by their names. */
export type ConditionDeclarations = Readonly<Record<string, ConditionDeclaration>>;

/** What a network is told about the images besides their noisy pixels and the time; all of it may be left out. */
export interface Conditions {
  /** An estimate of the clean images, shaped as they are (Chen et al. 2022, 2208.04202). */
  readonly selfCondition?: Tensor | undefined;
  /** The images in less resolution, scaled up to the shape of these and in some noise (Ho et al. 2021, 2106.15282). */
  readonly lowresCondImg?: Tensor | undefined;
  /** What tells the noise of `lowresCondImg` as `time` tells that of the images, [batch]. */
  readonly lowresNoiseTimes?: Tensor | undefined;
  /** The images' classes, i32 [batch], from 0; or, f32 [batch, numClasses], how much of each class's embedding goes in. */
  readonly classes?: Tensor | undefined;
  /** Any numbers that describe each image, f32 [batch, vectorDim]. */
  readonly vector?: Tensor | undefined;
  /** A sequence that describes each image, such as a text's tokens, f32 [batch, length, contextDim]. */
  readonly context?: Tensor | undefined;
  /** Where `context` has something to say, bool [batch, length]; everywhere without it. */
  readonly contextMask?: Tensor | undefined;
  /**
   * Which images are told their class, vector and context, bool [batch]; all without it. For the others learned nulls
   * stand in, as they do for what is left out: the way to classifier-free guidance (Ho & Salimans 2022, 2207.12598).
   */
  readonly keepMask?: Tensor | undefined;
}

/** Which conditions a model takes, as its options say. */
export interface ConditionSizes {
  readonly selfCondition: boolean;
  readonly lowresCond: boolean;
  readonly numClasses: number;
  readonly vectorDim: number;
  readonly contextDim: number;
}

/** @throws one line if a condition is ill-shaped or the model was made without it */
export function checkConditions(layer: string, conditions: Conditions, x: Tensor, sizes: ConditionSizes): void {
  const [batch] = x.shape;
  const { selfCondition, lowresCondImg, lowresNoiseTimes, classes, vector, context, contextMask, keepMask } =
    conditions;
  const require = (name: keyof ConditionSizes, condition: string, given: Tensor | undefined): void => {
    if (given && !sizes[name]) throw new Error(`${layer}: got ${condition}, but the model was made without ${name}`);
  };
  require("selfCondition", "selfCondition", selfCondition);
  require("lowresCond", "a lowresCondImg", lowresCondImg);
  require("numClasses", "classes", classes);
  require("vectorDim", "a vector", vector);
  require("contextDim", "a context", context);
  if (contextMask && !context) throw new Error(`${layer}: got a contextMask without a context`);
  requireShape(`${layer}: selfCondition`, selfCondition, "f32", x.shape);
  requireShape(`${layer}: lowresCondImg`, lowresCondImg, "f32", x.shape);
  if ((lowresCondImg === undefined) !== (lowresNoiseTimes === undefined)) {
    throw new Error(`${layer}: takes lowresCondImg and lowresNoiseTimes together`);
  }
  if (lowresNoiseTimes) requireShape(`${layer}: lowresNoiseTimes`, lowresNoiseTimes, lowresNoiseTimes.dtype, [batch]);
  if (classes?.dtype === "f32") requireShape(`${layer}: classes`, classes, "f32", [batch, sizes.numClasses]);
  else requireShape(`${layer}: classes`, classes, "i32", [batch]);
  requireShape(`${layer}: vector`, vector, "f32", [batch, sizes.vectorDim]);
  const [, length = 0] = context?.shape ?? [];
  requireShape(`${layer}: context`, context, "f32", [batch, Math.max(1, length), sizes.contextDim]);
  requireShape(`${layer}: contextMask`, contextMask, "bool", [batch, length]);
  requireShape(`${layer}: keepMask`, keepMask, "bool", [batch]);
}

function requireShape(name: string, given: Tensor | undefined, dtype: DType, shape: Shape): void {
  if (!given || (given.dtype === dtype && sameShape(given.shape, shape))) return;
  throw new Error(`${name} must be ${dtype} ${formatShape(shape)}, got ${given.dtype} ${formatShape(given.shape)}`);
}
