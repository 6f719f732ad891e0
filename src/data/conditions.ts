import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";

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

/**
 * Vectors as `Diffusion.sample` and the network take them.
 *
 * @returns vector, f32 [vectors, dim]
 * @throws Error of one line if one has more or fewer numbers
 */
export function vectorBatch(vectors: readonly ArrayLike<number>[], dim: number): { readonly vector: NdArray } {
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
): { readonly context: NdArray; readonly contextMask: NdArray } {
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
