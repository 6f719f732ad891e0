import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { Shape } from "../tensor/shape.ts";

/** Values of conditions by the names that models declare, one row for each image. */
export type ConditionArrays = Readonly<Record<string, NdArray>>;

/** What a dataset tells of its images besides their pixels: a condition, or several that go together. */
export interface ConditionSource {
  /** Shapes of one image's values, by the names that models declare. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** Those of some images. */
  batch(indices: ArrayLike<number>): Promise<ConditionArrays>;
}

/** As many numbers for each image that describe it, for a model with `vectorDim`. */
export interface ImageVectors {
  /** How many numbers. */
  readonly dim: number;
  /** Those of an image. */
  of(index: number): ArrayLike<number> | Promise<ArrayLike<number>>;
}

/** A row of numbers for each token of a sequence. */
export type Tokens = readonly ArrayLike<number>[];

/** A sequence for each image that describes it, such as the tokens of a text, for a model with `contextDim`. */
export interface ImageContexts {
  /** Numbers of a token. */
  readonly dim: number;
  /** Tokens of the longest sequence. */
  readonly length: number;
  /** The tokens of an image; none if there is nothing to say. */
  of(index: number): Tokens | Promise<Tokens>;
}

/** The condition `vector` of a dataset's images. */
export function imageVectors(vectors: ImageVectors): ConditionSource {
  const { dim } = vectors;
  const batch = async (indices: ArrayLike<number>) =>
    vectorBatch(await all(indices, (index) => vectors.of(index)), dim);
  return { shapes: { vector: [dim] }, batch };
}

/** The conditions `context` and `contextMask` of a dataset's images. */
export function imageContexts(contexts: ImageContexts): ConditionSource {
  const { dim, length } = contexts;
  return {
    shapes: { context: [length, dim], contextMask: [length] },
    batch: async (indices) => contextBatch(await all(indices, (index) => contexts.of(index)), contexts),
  };
}

/** The condition `classes` of images with labels. */
export function imageClasses(labels: Int32Array): ConditionSource {
  return {
    shapes: { classes: [] },
    batch: async (indices) => ({
      classes: ndarray(
        Int32Array.from(indices, (index) => labels[index]),
        [indices.length],
      ),
    }),
  };
}

function all<T>(indices: ArrayLike<number>, of: (index: number) => T | Promise<T>): Promise<T[]> {
  return Promise.all(Array.from(indices, async (index) => of(index)));
}

/**
 * Vectors as `Diffusion.sample` and the network take them.
 *
 * @returns vector, f32 [vectors, dim]
 * @throws Error of one line if one has more or fewer numbers
 */
export function vectorBatch(vectors: readonly ArrayLike<number>[], dim: number): { vector: NdArray } {
  const data = new Float32Array(vectors.length * dim);
  for (const [row, vector] of vectors.entries()) {
    if (vector.length !== dim) throw new Error(`vectors: each must have ${dim} numbers, got ${vector.length}`);
    data.set(vector, row * dim);
  }
  return { vector: ndarray(data, [vectors.length, dim]) };
}

/**
 * Sequences as `Diffusion.sample` and the network take them: filled up with zeros, which the mask hides.
 *
 * @returns context, f32 [contexts, length, dim], and contextMask, bool [contexts, length]
 * @throws Error of one line if one is too long, or a token has more or fewer numbers
 */
export function contextBatch(
  contexts: readonly Tokens[],
  { dim, length }: Pick<ImageContexts, "dim" | "length">,
): { context: NdArray; contextMask: NdArray } {
  const data = new Float32Array(contexts.length * length * dim);
  const mask = new Int32Array(contexts.length * length);
  for (const [row, tokens] of contexts.entries()) {
    if (tokens.length > length)
      throw new Error(`contexts: each must have up to ${length} tokens, got ${tokens.length}`);
    for (const [place, token] of tokens.entries()) {
      if (token.length !== dim) throw new Error(`contexts: each token must have ${dim} numbers, got ${token.length}`);
      data.set(token, (row * length + place) * dim);
      mask[row * length + place] = 1;
    }
  }
  return {
    context: ndarray(data, [contexts.length, length, dim]),
    contextMask: ndarray(mask, [contexts.length, length], "bool"),
  };
}
