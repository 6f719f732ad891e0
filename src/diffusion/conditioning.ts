import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Denoiser } from "./denoiser.ts";
import { guidanceOf } from "./guidance.ts";
import type { Guidance, GuidanceOptions } from "./guidance.ts";

/** What the images shall be of. A model that takes a condition and is not given it draws whatever it has learned. */
export interface ConditioningOptions extends GuidanceOptions {
  /** Class of every image, whole numbers from 0; for a model with `numClasses`. */
  readonly classes?: ArrayLike<number> | undefined;
  /** f32 [batchSize, vectorDim]; for a model with `vectorDim`. */
  readonly vector?: NdArray | undefined;
}

/** The conditions of a call by their names in `Conditions`, one row for each image. */
export type ConditionArrays = Readonly<Partial<Record<"classes" | "vector", NdArray>>>;

/** {@link ConditioningOptions}, checked. */
export interface Conditioning {
  readonly conditions: ConditionArrays;
  readonly guidance: Guidance;
}

/** @throws one line if the model does not take a condition, or not of that shape */
export function conditioningOf(model: Denoiser, batch: number, options: ConditioningOptions): Conditioning {
  const { classes, vector } = options;
  const conditions = {
    ...(classes && { classes: classArray(classes, batch, model.numClasses ?? 0) }),
    ...(vector && { vector: vectorArray(vector, batch, model.vectorDim ?? 0) }),
  };
  return { conditions, guidance: guidanceOf(options, Object.keys(conditions).length > 0) };
}

function classArray(classes: ArrayLike<number>, batch: number, numClasses: number): NdArray {
  if (numClasses === 0) throw new Error("sample: got classes, but the model was made without numClasses");
  if (classes.length !== batch)
    throw new Error(`sample: needs ${batch} classes for as many images, got ${classes.length}`);
  const values = Int32Array.from(classes);
  const wrong = values.findIndex((value, i) => value !== classes[i] || value < 0 || value >= numClasses);
  if (wrong !== -1) {
    throw new Error(`sample: classes must be whole numbers from 0 to ${numClasses - 1}, got ${classes[wrong]}`);
  }
  return ndarray(values, [batch]);
}

function vectorArray(vector: NdArray, batch: number, vectorDim: number): NdArray {
  if (vectorDim === 0) throw new Error("sample: got a vector, but the model was made without vectorDim");
  const { shape, dtype } = vector;
  if (dtype === "f32" && sameShape(shape, [batch, vectorDim])) return vector;
  throw new Error(`sample: vector must be f32 ${formatShape([batch, vectorDim])}, got ${dtype} ${formatShape(shape)}`);
}
