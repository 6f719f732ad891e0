import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { normalRows } from "../../tensor/random.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Which of a seed's images: the noise of image k follows from the seed and k alone, whatever else is drawn with it. */
export interface ImageSeed {
  /** A whole number below 2^32. */
  readonly seed: number;
  /** The number of the first image of a batch, from 0. */
  readonly firstIndex: number;
}

/** What an image needs noise for besides its steps, which have the counters from 0. */
export const START_NOISE = 2 ** 32 - 1;
export const LOWRES_NOISE = START_NOISE - 1;

/** What {@link keyedNoise} follows from, u32 [3]. Each counter of a seed gives other noise. */
export function noiseKey({ seed, firstIndex }: ImageSeed, counter: number): NdArray {
  return ndarray([seed, counter, firstIndex], [3], "u32");
}

/** Standard normal numbers for a batch of images, drawn from a key unless they are given themselves. */
export function noiseOf(keyOrNoise: Tensor, shape: Shape): Tensor {
  return keyOrNoise.dtype === "f32" ? keyOrNoise : keyedNoise(keyOrNoise, shape);
}

/** Standard normal numbers for a batch of images. */
export function keyedNoise(key: Tensor, shape: Shape): Tensor {
  const word = (i: number): Tensor => key.slice(0, i, i + 1).reshape([]);
  return normalRows([word(0), word(1)], word(2), shape);
}

/** @throws unless both are whole numbers that leave room for a batch below 2^32; without a seed, draws one */
export function checkedImageSeed(
  { seed, firstIndex = 0 }: { readonly seed?: number | undefined; readonly firstIndex?: number | undefined },
  batch: number,
): ImageSeed {
  const most = 2 ** 32 - batch;
  if (!(Number.isInteger(firstIndex) && firstIndex >= 0 && firstIndex <= most)) {
    throw new Error(`firstIndex: must be a whole number from 0 to ${most}, got ${firstIndex}`);
  }
  return { seed: checkedSeed(seed), firstIndex };
}

/** @throws unless the seed is a whole number below 2^32; without a seed, draws one */
export function checkedSeed(seed: number = Math.floor(Math.random() * 2 ** 32)): number {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed;
  throw new Error(`seed: must be a whole number from 0 to ${2 ** 32 - 1}, got ${seed}`);
}
