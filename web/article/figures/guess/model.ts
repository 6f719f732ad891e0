import { compile, randn } from "unnoise";
import type { Backend, Compiled, Denoiser, GaussianDiffusion, NdArray } from "unnoise";
import { timestep } from "../common/arrays.ts";

/** What a network makes of a noisy picture, each [1, height, width, channels]. */
export interface Guess {
  /** x_t, which it looks at. */
  readonly noisy: NdArray;
  /** The clean picture that its answer means, clipped to [-1, 1]. */
  readonly clean: NdArray;
  /** Its answer. */
  readonly noise: NdArray;
}

/** Adds noise to pictures and asks a network for it. */
export class Guesser {
  readonly #look: Compiled<"noisy" | "clean" | "noise", "picture" | "t" | "noise">;

  constructor(backend: Backend, diffusion: GaussianDiffusion, model: Denoiser) {
    this.#look = compile(backend, ({ picture, t, noise }) => {
      const noisy = diffusion.qSample(picture, t, noise);
      const { xStart, noise: answer } = diffusion.modelPredictions(model, noisy, t);
      return { outputs: { noisy, clean: xStart, noise: answer } };
    });
  }

  /** @param picture [1, height, width, channels] within [-1, 1] */
  at(picture: NdArray, t: number, seed: number): Promise<Guess> {
    return this.#look({ picture, t: timestep(t), noise: randn(picture.shape, seed) });
  }

  dispose(): void {
    this.#look.dispose();
  }
}

/** Root of the mean squared difference of two pictures. */
export function distance(a: NdArray, b: NdArray): number {
  const squares = Float64Array.from(a.data, (value, i) => (value - b.data[i]) ** 2).reduce(
    (sum, square) => sum + square,
  );
  return Math.sqrt(squares / a.data.length);
}
