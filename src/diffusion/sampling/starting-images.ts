import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { NoiseLevel } from "../process/noise-level.ts";

/** Random counters: of the noise at the start, and of that on images of less resolution. Steps have those from 0. */
const START = 2 ** 32 - 1;
export const LOWRES_NOISE = START - 1;

/** Standard normal numbers, the same ones on every call with a seed. */
export async function drawNoise(backend: Backend, shape: Shape, seed: number): Promise<NdArray> {
  const draw = compile(backend, (seed, counter) => ({
    outputs: { noise: new RandomStream([seed, counter]).normal(shape) },
  }));
  const { noise } = await draw(...keyOf(seed));
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
  seed: number,
  images: NdArray,
  { alpha, sigma }: NoiseLevel,
  counter = START,
): Promise<NdArray> {
  const add = compile(backend, (seed, counter, images, alpha, sigma) => {
    const noise = new RandomStream([seed, counter]).normal(shape);
    return { outputs: { noisy: images.multiply(alpha).broadcastTo(shape).add(noise.multiply(sigma)) } };
  });
  const { noisy } = await add(...keyOf(seed, counter), images, ndarray([alpha], []), ndarray([sigma], []));
  add.dispose();
  return noisy;
}

function keyOf(seed: number, counter = START): NdArray[] {
  return [ndarray([seed], [], "u32"), ndarray([counter], [], "u32")];
}
