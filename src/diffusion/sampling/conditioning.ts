import type { DType } from "../../tensor/dtype.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { formatShape, sameShape } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { NoisyClassifier } from "./classifier.ts";
import type { Denoiser } from "../denoiser.ts";
import { guidanceOf } from "./guidance.ts";
import type { Guidance, GuidanceOptions } from "./guidance.ts";

/** Whole numbers from 0; or, f32 [batchSize, numClasses], mixtures: how much of each class's embedding goes in. */
export type Classes = ArrayLike<number> | NdArray;

/** What the images shall be of. A model that takes a condition and is not given it draws whatever it has learned. */
export interface ConditioningOptions extends GuidanceOptions {
  /** Of every image; for a model with `numClasses`. */
  readonly classes?: Classes | undefined;
  /** f32 [batchSize, vectorDim]; for a model with `vectorDim`. */
  readonly vector?: NdArray | undefined;
  /** f32 [batchSize, length, contextDim], such as the tokens of texts; for a model with `contextDim`. */
  readonly context?: NdArray | undefined;
  /** Where each context has something to say, bool [batchSize, length]; everywhere without it. */
  readonly contextMask?: NdArray | undefined;
}

/** The conditions of a call by their names in `Conditions`, one row for each image. */
export type ConditionArrays = Readonly<
  Partial<Record<"classes" | "vector" | "context" | "contextMask" | "lowresCondImg" | "lowresNoiseTimes", NdArray>>
>;

/** {@link ConditioningOptions}, checked. */
export interface Conditioning {
  readonly conditions: ConditionArrays;
  readonly guidance: Guidance;
  readonly classifier: NoisyClassifier | undefined;
}

/** @throws one line if the model does not take a condition, or not of that shape */
export function conditioningOf(model: Denoiser, batch: number, options: ConditioningOptions): Conditioning {
  const { classes, vector, context, contextMask, classifier } = options;
  const { numClasses = 0, vectorDim = 0, contextDim = 0 } = model;
  if (classifier) checkClassifier(classifier, model, classes);
  if (vector && vectorDim === 0) throw new Error("sample: got a vector, but the model was made without vectorDim");
  if (context && contextDim === 0) throw new Error("sample: got a context, but the model was made without contextDim");
  if (contextMask && !context) throw new Error("sample: got a contextMask without a context");
  const length = context?.shape[1] ?? 1;
  const conditions = {
    ...(classes && { classes: classArray(classes, batch, classifier?.numClasses ?? numClasses) }),
    ...(vector && { vector: checked("vector", vector, "f32", [batch, vectorDim]) }),
    ...(context && { context: checked("context", context, "f32", [batch, length, contextDim]) }),
    ...(contextMask && { contextMask: checked("contextMask", contextMask, "bool", [batch, length]) }),
  };
  const hasConditions = Object.keys(conditions).some((name) => name !== "classes" || numClasses > 0);
  return { conditions, guidance: guidanceOf(options, hasConditions), classifier };
}

function checkClassifier(classifier: NoisyClassifier, model: Denoiser, classes: Classes | undefined): void {
  const { channels, numClasses = 0 } = model;
  if (!classes) throw new Error("sample: a classifier guides towards classes, but none are given");
  if ("shape" in classes) throw new Error("sample: a classifier guides towards one class each, but got mixtures");
  if (classifier.channels !== channels) {
    throw new Error(`sample: the classifier takes ${classifier.channels} channels, the model makes ${channels}`);
  }
  if (numClasses === 0 || numClasses === classifier.numClasses) return;
  throw new Error(`sample: the classifier knows ${classifier.numClasses} classes, the model ${numClasses}`);
}

/** How many images have these classes. */
export function countOf(classes: Classes): number {
  return "shape" in classes ? classes.shape[0] : classes.length;
}

function classArray(classes: Classes, batch: number, numClasses: number): NdArray {
  if (numClasses === 0) throw new Error("sample: got classes, but the model was made without numClasses");
  if ("shape" in classes) return checked("classes", classes, "f32", [batch, numClasses]);
  if (classes.length !== batch)
    throw new Error(`sample: needs ${batch} classes for as many images, got ${classes.length}`);
  const values = Int32Array.from(classes);
  const wrong = values.findIndex((value, i) => value !== classes[i] || value < 0 || value >= numClasses);
  if (wrong !== -1) {
    throw new Error(`sample: classes must be whole numbers from 0 to ${numClasses - 1}, got ${classes[wrong]}`);
  }
  return ndarray(values, [batch]);
}

function checked(name: string, array: NdArray, dtype: DType, shape: Shape): NdArray {
  if (array.dtype === dtype && sameShape(array.shape, shape)) return array;
  const got = `${array.dtype} ${formatShape(array.shape)}`;
  throw new Error(`sample: ${name} must be ${dtype} ${formatShape(shape)}, got ${got}`);
}
