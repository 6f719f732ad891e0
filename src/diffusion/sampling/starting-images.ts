import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { Compiled } from "../../backend/compile.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { noiseOf } from "./noise.ts";

/** What samples of a shape are made from. `keyOrNoise` is a `noiseKey`, or standard normal numbers themselves. */
export class StartingImages {
  readonly #draw: Compiled<"noise">;
  readonly #add: Compiled<"noisy">;

  constructor(backend: Backend, shape: Shape) {
    this.#draw = compile(backend, ({ keyOrNoise, deviation }) => ({
      outputs: { noise: noiseOf(keyOrNoise, shape).multiply(deviation) },
    }));
    this.#add = compile(backend, ({ keyOrNoise, images, alpha, sigma }) => {
      const noise = noiseOf(keyOrNoise, shape).multiply(sigma);
      return { outputs: { noisy: images.multiply(alpha).broadcastTo(shape).add(noise) } };
    });
  }

  /** Normal numbers for images of a level where hardly any signal is left. */
  async noise(keyOrNoise: NdArray, deviation: number): Promise<NdArray> {
    return (await this.#draw({ keyOrNoise, deviation: ndarray([deviation], []) })).noise;
  }

  /**
   * alpha images + sigma noise.
   *
   * @param images clean ones of this shape, or one for all
   */
  async noised(keyOrNoise: NdArray, images: NdArray, { alpha, sigma }: NoiseLevel): Promise<NdArray> {
    const level = { alpha: ndarray([alpha], []), sigma: ndarray([sigma], []) };
    return (await this.#add({ keyOrNoise, images, ...level })).noisy;
  }

  dispose(): void {
    this.#draw.dispose();
    this.#add.dispose();
  }
}

/** {@link StartingImages.noised} once. */
export async function noisedImages(
  backend: Backend,
  shape: Shape,
  keyOrNoise: NdArray,
  images: NdArray,
  level: NoiseLevel,
): Promise<NdArray> {
  const starting = new StartingImages(backend, shape);
  const noisy = await starting.noised(keyOrNoise, images, level);
  starting.dispose();
  return noisy;
}
