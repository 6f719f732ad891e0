import { compile, literal, ndarray, randn, softmax } from "unnoise";
import type { Backend, Compiled, Denoiser, GaussianDiffusion, NdArray, Tensor } from "unnoise";
import { timestep } from "../common/arrays.ts";
import type { Drawer } from "../common/drawer.ts";
import { SIDE } from "../common/garment-sizes.ts";

const STEPS = 50;

/**
 * The best guess there is in a world of few pictures: their mean, each weighted by how probable it is to be behind what is
 * seen. It has no parameters.
 */
export class PerfectDenoiser implements Denoiser {
  readonly channels: number;
  readonly #pictures: NdArray;
  readonly #diffusion: GaussianDiffusion;

  /** @param pictures all there are, [count, height, width, channels] within [-1, 1] */
  constructor(pictures: NdArray, diffusion: GaussianDiffusion) {
    const [count, height, width, channels] = pictures.shape;
    this.channels = channels;
    this.#pictures = ndarray(pictures.data, [count, height * width * channels]);
    this.#diffusion = diffusion;
  }

  /** How probable each picture is behind x_t, [batch, count]: the softmax of -|x_t - alpha picture|^2 / 2 sigma^2. */
  weights(x: Tensor, t: Tensor): Tensor {
    const [count, size] = this.#pictures.shape;
    const { alpha, sigma } = this.#diffusion.levelAt(t, x);
    const [a, s] = [alpha.reshape([-1, 1]), sigma.reshape([-1, 1])];
    const pictures = literal(this.#pictures);
    const squares = pictures.square().sum(1).reshape([1, count]);
    const products = x.reshape([-1, size]).matmul(pictures.transpose());
    // |x|^2 is the same for all pictures.
    return softmax(a.multiply(products).subtract(a.square().multiply(squares).multiply(0.5)).divide(s.square()));
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const mean = this.weights(x, t).matmul(literal(this.#pictures)).reshape(x.shape);
    return this.#diffusion.predictNoise(x, t, mean);
  }
}

export interface PerfectGuess {
  readonly noisy: NdArray;
  readonly clean: NdArray;
  /** How probable each picture of the world is, [1, count]. */
  readonly weights: NdArray;
}

/** Adds noise to pictures and asks the perfect denoiser. */
export class PerfectGuesser {
  readonly #look: Compiled<keyof PerfectGuess, "picture" | "t" | "noise">;

  constructor(backend: Backend, diffusion: GaussianDiffusion, perfect: PerfectDenoiser) {
    this.#look = compile(backend, ({ picture, t, noise }) => {
      const noisy = diffusion.qSample(picture, t, noise);
      const clean = diffusion.modelPredictions(perfect, noisy, t).xStart;
      return { outputs: { noisy, clean, weights: perfect.weights(noisy, t.broadcastTo([1])) } };
    });
  }

  at(picture: NdArray, t: number, seed: number): Promise<PerfectGuess> {
    return this.#look({ picture, t: timestep(t), noise: randn(picture.shape, seed) });
  }
}

export interface PerfectSettings {
  readonly seed: number;
  readonly batchSize: number;
}

/** Draws with the perfect denoiser, by Algorithm 2 in fewer steps. */
export function drawPerfect(
  perfect: PerfectDenoiser,
  { diffusion, backend }: Pick<Drawer, "diffusion" | "backend">,
  settings: PerfectSettings,
  signal?: AbortSignal,
): Promise<NdArray> {
  const options = { ...settings, imageSize: SIDE, steps: STEPS, sampler: "ddpm" } as const;
  return diffusion.sample(perfect, { ...options, backend, ...(signal && { signal }) });
}

/** Which picture of a world each image is a copy of, to a hundredth of the range of its values; -1 for none. */
export function copiesOf(images: NdArray, world: NdArray, tolerance = 0.02): number[] {
  const size = world.data.length / world.shape[0];
  const isCopy = (image: number, other: number): boolean => {
    for (let i = 0; i < size; i++) {
      if (Math.abs(images.data[image * size + i] - world.data[other * size + i]) > tolerance) return false;
    }
    return true;
  };
  return Array.from({ length: images.shape[0] }, (_, image) =>
    Array.from({ length: world.shape[0] }, (_, other) => other).findIndex((other) => isCopy(image, other)),
  );
}
