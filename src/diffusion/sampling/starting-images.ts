import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { START_NOISE, keyedNoise, noiseKey } from "./noise.ts";
import type { ImageSeed } from "./noise.ts";

/**
 * Normal numbers for images of a level where hardly any signal is left. The same ones for an image on every call with a seed.
 */
export async function drawNoise(backend: Backend, shape: Shape, seed: ImageSeed, deviation: number): Promise<NdArray> {
  const draw = compile(backend, ({ key, deviation }) => ({
    outputs: { noise: keyedNoise(key, shape).multiply(deviation) },
  }));
  const { noise } = await draw({
    key: noiseKey(seed, START_NOISE),
    deviation: ndarray([deviation], []),
  });
  draw.dispose();
  return noise;
}

/**
 * alpha images + sigma noise, with the numbers of {@link drawNoise} unless another counter is given.
 *
 * @param images clean ones of this shape, or one for all
 */
export async function noisedImages(
  backend: Backend,
  shape: Shape,
  seed: ImageSeed,
  images: NdArray,
  { alpha, sigma }: NoiseLevel,
  counter = START_NOISE,
): Promise<NdArray> {
  const add = compile(backend, ({ key, images, alpha, sigma }) => {
    const noise = keyedNoise(key, shape).multiply(sigma);
    return { outputs: { noisy: images.multiply(alpha).broadcastTo(shape).add(noise) } };
  });
  const { noisy } = await add({
    key: noiseKey(seed, counter),
    images,
    alpha: ndarray([alpha], []),
    sigma: ndarray([sigma], []),
  });
  add.dispose();
  return noisy;
}
