import type { Denoiser } from "../../src/diffusion/denoiser.ts";
import { noiseSchedule } from "../../src/diffusion/process/noise-schedule.ts";
import { literal } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/**
 * The best possible noise predictor for pixels that are normal with a known mean and deviation. Then x_t is normal too,
 * with mean sqrt(abar) m and variance V = abar s^2 + 1 - abar, and E[noise | x_t] = sqrt(1 - abar) (x_t - mean) / V.
 */
export class GaussianDenoiser implements Denoiser {
  readonly channels = 1;
  readonly #slopes: Tensor;
  readonly #means: Tensor;

  constructor(betas: ArrayLike<number>, mean: number, deviation: number) {
    const { alphasCumprod } = noiseSchedule(betas);
    const table = (values: Float64Array): Tensor =>
      literal({ shape: [values.length], dtype: "f32", data: Float32Array.from(values) });
    this.#slopes = table(alphasCumprod.map((abar) => Math.sqrt(1 - abar) / (abar * deviation ** 2 + 1 - abar)));
    this.#means = table(alphasCumprod.map((abar) => Math.sqrt(abar) * mean));
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const perImage = (table: Tensor): Tensor => table.gather(t).reshape([x.shape[0], 1, 1, 1]);
    return x.subtract(perImage(this.#means)).multiply(perImage(this.#slopes));
  }
}
