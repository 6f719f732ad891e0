import { checkConditions, declaredWhere } from "../../models/conditions/declaration.ts";
import type { ConditionDeclaration } from "../../models/conditions/declaration.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { NoisyClassifier } from "./classifier.ts";
import { checkFinite } from "../process/checks.ts";
import type { Denoiser } from "../denoiser.ts";
import { guidanceOf } from "./guidance.ts";
import type { Guidance, GuidanceOptions } from "./guidance.ts";

/** Whole numbers from 0; or, f32 [batchSize, numClasses], mixtures: how much of each class's embedding goes in. */
export type Classes = ArrayLike<number> | NdArray;

/** What a model is told of images, for each of them. */
export interface GivenConditions {
  /** Of every image; for a model with `numClasses`. */
  readonly classes?: Classes | undefined;
  /** f32 [batchSize, vectorDim]; for a model with `vectorDim`. */
  readonly vector?: NdArray | undefined;
  /** f32 [batchSize, length, contextDim], such as the tokens of texts; for a model with `contextDim`. */
  readonly context?: NdArray | undefined;
  /** Where each context has something to say, bool [batchSize, length]; everywhere without it. */
  readonly contextMask?: NdArray | undefined;
  /** Whatever else the model declares, by name. */
  readonly conditions?: Readonly<Record<string, Classes | undefined>> | undefined;
}

/** Of what type each of {@link GivenConditions} is. */
export const conditionTypes = {
  classes: "numbers",
  vector: "array",
  context: "array",
  contextMask: "array",
  conditions: "object",
} as const satisfies Readonly<Record<keyof GivenConditions, string>>;

/** What the images shall be of. A model that takes a condition and is not given it draws whatever it has learned. */
export interface ConditioningOptions extends GivenConditions, GuidanceOptions {}

/** The conditions of a call by the names that a model declares, one row for each image. */
export type ConditionArrays = Readonly<Record<string, NdArray>>;

/** {@link ConditioningOptions}, checked. */
export interface Conditioning {
  /** What the model is told. */
  readonly conditions: ConditionArrays;
  readonly guidance: Guidance;
  readonly classifier: NoisyClassifier | undefined;
  /** What the classifier guides towards, i32 [batch]. */
  readonly classes: NdArray | undefined;
}

/** All conditions of a call by name, as they are given. */
export function givenConditions(options: ConditioningOptions): Readonly<Record<string, Classes>> {
  const { classes, vector, context, contextMask, conditions } = options;
  const all = Object.entries({ classes, vector, context, contextMask, ...conditions });
  return Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

/**
 * @param images shape of the images, [batch, height, width, channels]
 * @throws one line if the model does not take a condition, or not of that shape
 */
export function conditioningOf(model: Denoiser, images: Shape, options: ConditioningOptions): Conditioning {
  const { conditions: declared = {} } = model;
  const { classifier } = options;
  const given = givenConditions(options);
  const ofClassifier = classifier && classesOf(classifier, model, given.classes, images[0]);
  // A classifier's classes need not be the model's.
  const told = Object.entries(given).filter(([name]) => !ofClassifier || name !== "classes" || declared.classes);
  const conditions: ConditionArrays = Object.fromEntries(
    told.map(([name, value]) => [name, arrayOf(name, value, declared[name], images[0])]),
  );
  checkConditions("sample", declared, conditions, images);
  for (const [name, value] of Object.entries(conditions)) checkFinite(`sample: ${name}`, value);
  const isNullable = declaredWhere(declared, ({ nullable }) => nullable);
  const hasConditions = Object.keys(conditions).some((name) => isNullable.includes(name));
  return { conditions, guidance: guidanceOf(options, hasConditions), classifier, classes: ofClassifier };
}

function classesOf(
  classifier: NoisyClassifier,
  { channels, conditions }: Denoiser,
  classes: Classes | undefined,
  batch: number,
): NdArray {
  if (!classes) throw new Error("sample: a classifier guides towards classes, but none are given");
  if (isArray(classes)) throw new Error("sample: a classifier guides towards one class each, but got mixtures");
  if (classifier.channels !== channels) {
    throw new Error(`sample: the classifier takes ${classifier.channels} channels, the model makes ${channels}`);
  }
  const known = conditions?.classes?.numClasses;
  if (known !== undefined && known !== classifier.numClasses) {
    throw new Error(`sample: the classifier knows ${classifier.numClasses} classes, the model ${known}`);
  }
  return wholeNumbers("classes", classes, classifier.numClasses, batch);
}

/** How many images are told these. */
export function countOf(value: Classes): number | undefined {
  return isArray(value) ? value.shape[0] : value.length;
}

function isArray(value: Classes): value is NdArray {
  return "shape" in value;
}

function arrayOf(name: string, value: Classes, declaration: ConditionDeclaration | undefined, batch: number): NdArray {
  if (typeof value === "object" && isArray(value)) return value;
  if (declaration?.numClasses !== undefined) return wholeNumbers(name, value, declaration.numClasses, batch);
  // What the model does not take is refused as such.
  if (declaration === undefined) return ndarray([], [0]);
  throw new Error(`sample: ${name} must be an array of ndarray(), got ${typeof value}`);
}

function wholeNumbers(name: string, list: ArrayLike<number>, count: number, batch: number): NdArray {
  if (typeof list !== "object" || typeof list.length !== "number") {
    throw new Error(`sample: ${name} must be a list with a whole number for each image, got ${typeof list}`);
  }
  if (list.length !== batch) throw new Error(`sample: needs ${batch} ${name} for as many images, got ${list.length}`);
  const values = Int32Array.from(list);
  const wrong = values.findIndex((value, i) => value !== list[i] || value < 0 || value >= count);
  if (wrong !== -1) {
    throw new Error(`sample: ${name} must be whole numbers from 0 to ${count - 1}, got ${list[wrong]}`);
  }
  return ndarray(values, [batch]);
}
