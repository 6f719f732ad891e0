import type { DType } from "../../tensor/dtype.ts";
import { formatShape, sameShape } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** One thing that a network may be told about each image. */
export interface ConditionDeclaration {
  /** Shape of one image's value; `null` is a length that may differ from batch to batch, `image` the images' own shape. */
  readonly shape: readonly (number | null)[] | "image";
  /** `time` is what the diffusion tells times in, i32 or f32. */
  readonly dtype: DType | "time";
  /** How many classes the value counts from 0; then shares of them, f32 [batch, numClasses], will do too. */
  readonly numClasses?: number;
  /** How it gets into the network, for people. */
  readonly embedded: "added to the time's embedding" | "looked at by cross-attention" | "channels beside the images'";
  /** Whether something learned stands in for it where it is not told: what classifier-free guidance leads away from. */
  readonly nullable: boolean;
  /** Where training has it from: the dataset, the images themselves, or the network's own first answer. */
  readonly source: "dataset" | "images" | "estimate";
  /** Another condition without which it means nothing. */
  readonly goesWith?: string;
}

/** What a network may be told, by name; adding a condition to a network is adding a file beside this one and a name there. */
export type ConditionDeclarations = Readonly<Record<string, ConditionDeclaration>>;

/** What a network is told about the images besides their noisy pixels and the time; all of it may be left out. */
export interface Conditions {
  /**
   * Which images are told what is nullable, bool [batch]; all without it. For the others something learned stands in, as
   * it does for what is left out: the way to classifier-free guidance (Ho & Salimans 2022, 2207.12598).
   */
  readonly keepMask?: Tensor | undefined;
  /** By the names that the network declares, one row for each image. */
  readonly [name: string]: Tensor | undefined;
}

/** A tensor or an array. */
interface Shaped {
  readonly shape: Shape;
  readonly dtype: DType;
}

/**
 * Checks conditions, as tensors or as arrays, against what a network declares.
 *
 * @param label who refuses, for the message
 * @param images shape of the images, [batch, height, width, channels]
 * @throws one line, if one is ill-shaped, lacks what it goes with, or is none of the network's
 */
export function checkConditions(
  label: string,
  declared: ConditionDeclarations,
  given: Readonly<Record<string, Shaped | undefined>>,
  images: Shape,
): void {
  for (const [name, value] of Object.entries(given)) {
    if (!value) continue;
    const need =
      name === "keepMask" ? { dtype: "bool", shape: [images[0]] } : needOf(label, declared, given, name, images);
    if (value.dtype === need.dtype && sameShape(value.shape, need.shape)) continue;
    const got = `${value.dtype} ${formatShape(value.shape)}`;
    throw new Error(`${label}: ${name} must be ${need.dtype} ${formatShape(need.shape)}, got ${got}`);
  }
}

/** What a condition has to be, beside the others that are given. */
function needOf(
  label: string,
  declared: ConditionDeclarations,
  given: Readonly<Record<string, Shaped | undefined>>,
  name: string,
  images: Shape,
): { readonly dtype: string; readonly shape: Shape } {
  const declaration = declared[name];
  if (declaration === undefined)
    throw new Error(`${label}: got ${name}, which the model was not made for${whatIsTaken(declared)}`);
  const { dtype, numClasses, goesWith } = declaration;
  const { shape: own = [], dtype: ownType = "f32" } = given[name] ?? {};
  const other = goesWith === undefined ? undefined : given[goesWith];
  if (goesWith !== undefined && !other) throw new Error(`${label}: got ${name} without ${goesWith}`);
  if (declaration.shape === "image") return { dtype: dtype === "time" ? ownType : dtype, shape: images };
  const [batch] = images;
  if (numClasses !== undefined && ownType === "f32") return { dtype: "f32", shape: [batch, numClasses] };
  // Lengths that are free are those of what it goes with, or its own if they are not 0.
  const free = (axis: number): number => other?.shape[axis] ?? Math.max(1, own[axis] ?? 1);
  const shape = [batch, ...declaration.shape.map((size, i) => size ?? free(i + 1))];
  return { dtype: dtype === "time" && ownType === "i32" ? "i32" : dtype === "time" ? "f32" : dtype, shape };
}

function whatIsTaken(declared: ConditionDeclarations): string {
  const names = Object.keys(declared);
  return names.length === 0 ? "" : `: it takes ${names.join(", ")}`;
}

/** The declared conditions that a test picks. */
export function declaredWhere(
  declared: ConditionDeclarations | undefined,
  holds: (declaration: ConditionDeclaration) => boolean,
): string[] {
  return Object.entries(declared ?? {}).flatMap(([name, declaration]) => (holds(declaration) ? [name] : []));
}
