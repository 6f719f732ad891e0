import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { noiseOf } from "./noise.ts";

/**
 * Normal numbers for images of a level where hardly any signal is left.
 *
 * @param keyOrNoise a `noiseKey`, or standard normal numbers themselves
 */
export async function drawNoise(
  backend: Backend,
  shape: Shape,
  keyOrNoise: NdArray,
  deviation: number,
): Promise<NdArray> {
  const draw = compile(backend, ({ keyOrNoise, deviation }) => ({
    outputs: { noise: noiseOf(keyOrNoise, shape).multiply(deviation) },
  }));
  const { noise } = await draw({
    keyOrNoise,
    deviation: ndarray([deviation], []),
  });
  draw.dispose();
  return noise;
}

/**
 * alpha images + sigma noise.
 *
 * @param keyOrNoise a `noiseKey`, or standard normal numbers themselves
 * @param images clean ones of this shape, or one for all
 */
export async function noisedImages(
  backend: Backend,
  shape: Shape,
  keyOrNoise: NdArray,
  images: NdArray,
  { alpha, sigma }: NoiseLevel,
): Promise<NdArray> {
  const add = compile(backend, ({ keyOrNoise, images, alpha, sigma }) => {
    const noise = noiseOf(keyOrNoise, shape).multiply(sigma);
    return { outputs: { noisy: images.multiply(alpha).broadcastTo(shape).add(noise) } };
  });
  const { noisy } = await add({
    keyOrNoise,
    images,
    alpha: ndarray([alpha], []),
    sigma: ndarray([sigma], []),
  });
  add.dispose();
  return noisy;
}
