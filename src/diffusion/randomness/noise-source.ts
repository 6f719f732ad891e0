import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Shape } from "../../tensor/shape.ts";
import { checkedImageSeed, noiseKey } from "../sampling/noise.ts";
import type { NoiseGenerator } from "./torch-generator.ts";

/** Where the noise of a call comes from. */
export interface NoiseSource {
  /** For a counter, a key to draw noise from on the device, or the noise itself, f32 shaped as the images. */
  draw(counter: number): NdArray;
  /** The same for a step that has no use for any. */
  readonly none: NdArray;
}

export interface RandomnessOptions {
  /** A whole number below 2^32; without one, other images each time. */
  readonly seed?: number;
  /**
   * The number of the batch's first image among those of the seed, from 0 (the default). Image k of a seed follows from
   * the seed and k alone: however many are drawn at a time, and those of no two seeds have noise in common.
   */
  readonly firstIndex?: number;
  /**
   * Where noise comes from instead of a seed, such as `torchGenerator(0)`: that of the start and then that of each step, drawn for
   * the whole batch at once in the order [batch, channels, height, width], so that images depend on how many are drawn at a time.
   */
  readonly generator?: NoiseGenerator;
}

/** @throws one line, if what is given does not go together */
export function noiseSourceOf(options: RandomnessOptions, shape: Shape): NoiseSource {
  const { seed, firstIndex, generator } = options;
  if (!generator) {
    const ofImages = checkedImageSeed({ seed, firstIndex }, shape[0]);
    return { draw: (counter) => noiseKey(ofImages, counter), none: noiseKey(ofImages, 0) };
  }
  for (const [name, value] of Object.entries({ seed, firstIndex })) {
    if (value !== undefined) throw new Error(`sample: takes a ${name} or a generator, got both`);
  }
  const size = sizeOf(shape);
  return {
    draw: () => ndarray(channelsLast(generator.randn(size), shape), shape),
    none: ndarray(new Float32Array(size), shape),
  };
}

/** From [batch, channels, height, width] to images as they are here. */
function channelsLast(values: Float32Array, [batch, height, width, channels]: Shape): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  const pixels = height * width;
  for (let image = 0; image < batch; image++) {
    const start = image * channels * pixels;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        result[start + pixel * channels + channel] = values[start + channel * pixels + pixel];
      }
    }
  }
  return result;
}
