import type { Denoiser } from "../../src/diffusion/denoiser.ts";
import { noiseSchedule } from "../../src/diffusion/process/noise-schedule.ts";
import { concatenate, literal } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** Two normal pixels that go together, images [batch, 1, 2, 1]. */
export interface PairOfPixels {
  readonly mean: number;
  readonly deviation: number;
  readonly correlation: number;
}

/**
 * The best possible noise predictor for them. Mean and half difference of the pixels are independent, with variances
 * s^2 (1 + r) / 2 and s^2 (1 - r) / 2, so that each has the predictor of a single pixel.
 */
export class CorrelatedDenoiser implements Denoiser {
  readonly channels = 1;
  readonly #ofMean: Tensor;
  readonly #ofDifference: Tensor;
  readonly #means: Tensor;

  constructor(betas: ArrayLike<number>, { mean, deviation, correlation }: PairOfPixels) {
    const { alphasCumprod } = noiseSchedule(betas);
    const table = (values: Float64Array): Tensor =>
      literal({ shape: [values.length], dtype: "f32", data: Float32Array.from(values) });
    const slopes = (factor: number): Tensor =>
      table(alphasCumprod.map((abar) => Math.sqrt(1 - abar) / (abar * deviation ** 2 * factor + 1 - abar)));
    this.#ofMean = slopes(1 + correlation);
    this.#ofDifference = slopes(1 - correlation);
    this.#means = table(alphasCumprod.map((abar) => Math.sqrt(abar) * mean));
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const perImage = (table: Tensor): Tensor => table.gather(t).reshape([x.shape[0], 1, 1, 1]);
    const [a, b] = x.subtract(perImage(this.#means)).chunk(2, 2);
    const mean = a.add(b).divide(2).multiply(perImage(this.#ofMean));
    const difference = a.subtract(b).divide(2).multiply(perImage(this.#ofDifference));
    return concatenate([mean.add(difference), mean.subtract(difference)], 2);
  }
}
