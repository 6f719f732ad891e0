import { GaussianDiffusion, compile, concatenateArrays, ndarray, randn, sliceArray } from "unnoise";
import type { Backend, Compiled, NdArray } from "unnoise";
import { timestep } from "../common/arrays.ts";

export interface WalkSettings {
  readonly timesteps: number;
  /** How many copies of one pixel walk, for the histogram. */
  readonly walks: number;
  readonly seed: number;
}

/** Values after some steps: a picture, and copies of one of its pixels, each with noise of its own. */
export interface Values {
  readonly picture: NdArray;
  readonly pixel: Float32Array;
}

/**
 * The forward process both ways: one small step after the other, equation 2 of Ho et al. (2020), and all of them at once,
 * equation 4. Values of the two differ, their distributions do not.
 */
export class Walk {
  readonly #diffusion: GaussianDiffusion;
  readonly #settings: WalkSettings;
  readonly #step: Compiled<"next", "x" | "t" | "noise">;
  readonly #jump: Compiled<"next", "x" | "t" | "noise">;
  readonly #pictureShape: readonly number[];
  readonly #start: NdArray;
  #walked: NdArray;
  #steps = 0;

  /**
   * @param picture [1, height, width, channels]
   * @param pixel which of its values the copies start from
   */
  constructor(backend: Backend, picture: NdArray, pixel: number, settings: WalkSettings) {
    const { timesteps, walks } = settings;
    const diffusion = new GaussianDiffusion({ timesteps, betaSchedule: "linear" });
    this.#diffusion = diffusion;
    this.#settings = settings;
    this.#step = compile(backend, ({ x, t, noise }) => ({ outputs: { next: diffusion.qStep(x, t, noise) } }));
    this.#jump = compile(backend, ({ x, t, noise }) => ({ outputs: { next: diffusion.qSample(x, t, noise) } }));
    this.#pictureShape = picture.shape;
    const copies = ndarray(new Float32Array(walks).fill(picture.data[pixel]), [walks]);
    this.#start = concatenateArrays([copies, ndarray(picture.data, [picture.data.length])]);
    this.#walked = this.#start;
  }

  /** Steps taken since the start. */
  get steps(): number {
    return this.#steps;
  }

  get timesteps(): number {
    return this.#settings.timesteps;
  }

  /** Takes so many more of the small steps, up to the last. */
  async advance(steps: number, signal?: AbortSignal): Promise<void> {
    const last = Math.min(this.#steps + steps, this.timesteps);
    while (this.#steps < last) {
      signal?.throwIfAborted();
      const t = this.#steps;
      const noise = randn(this.#start.shape, (this.#settings.seed * this.timesteps + t) % 2 ** 32);
      this.#walked = (await this.#step({ x: this.#walked, t: timestep(t), noise })).next;
      this.#steps = t + 1;
    }
  }

  /** Where the small steps have led. */
  walked(): Values {
    return this.#valuesOf(this.#walked);
  }

  /** As many steps at once. */
  async jumped(): Promise<Values> {
    if (this.#steps === 0) return this.#valuesOf(this.#start);
    // Noise that no step has used.
    const noise = randn(this.#start.shape, 2 ** 32 - 1 - this.#settings.seed);
    const { next } = await this.#jump({ x: this.#start, t: timestep(this.#steps - 1), noise });
    return this.#valuesOf(next);
  }

  /** The mean and deviation of the pixel that the formula gives for as many steps. */
  expected(): { readonly mean: number; readonly deviation: number } {
    const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = this.#diffusion.schedule;
    const [pixel] = this.#start.data;
    const t = this.#steps - 1;
    if (t < 0) return { mean: pixel, deviation: 0 };
    return { mean: sqrtAlphasCumprod[t] * pixel, deviation: sqrtOneMinusAlphasCumprod[t] };
  }

  #valuesOf(values: NdArray): Values {
    const { walks } = this.#settings;
    return {
      picture: ndarray(sliceArray(values, 0, walks).data, this.#pictureShape),
      pixel: Float32Array.from(sliceArray(values, 0, 0, walks).data),
    };
  }
}

/** How many values lie in each of so many bins of equal width; those outside count in none. */
export function histogram(values: ArrayLike<number>, from: number, to: number, bins: number): Float64Array {
  const counts = new Float64Array(bins);
  for (const value of Array.from(values)) {
    const bin = Math.floor(((value - from) / (to - from)) * bins);
    if (bin >= 0 && bin < bins) counts[bin]++;
  }
  return counts;
}

export function meanAndDeviation(values: ArrayLike<number>): { readonly mean: number; readonly deviation: number } {
  const list = Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  const variance = list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length;
  return { mean, deviation: Math.sqrt(variance) };
}
