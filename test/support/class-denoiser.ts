import type { Denoiser } from "../../src/diffusion/denoiser.ts";
import { noiseSchedule } from "../../src/diffusion/process/noise-schedule.ts";
import { classCondition } from "../../src/models/conditions/classes.ts";
import type { ConditionDeclarations, Conditions } from "../../src/models/conditions/declaration.ts";
import { literal } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/**
 * The best possible noise predictor for pixels that are normal with a mean for each class and one deviation, as in
 * `GaussianDenoiser`. A mixture of classes has a mixture of their means.
 */
export class ClassDenoiser implements Denoiser {
  readonly channels = 1;
  readonly conditions: ConditionDeclarations;
  readonly #slopes: Tensor;
  readonly #signals: Tensor;
  readonly #means: Tensor;

  constructor(betas: ArrayLike<number>, means: readonly number[], deviation: number) {
    const { alphasCumprod } = noiseSchedule(betas);
    const table = (values: ArrayLike<number>): Tensor =>
      literal({ shape: [values.length], dtype: "f32", data: Float32Array.from(values) });
    this.conditions = classCondition(means.length);
    this.#slopes = table(alphasCumprod.map((abar) => Math.sqrt(1 - abar) / (abar * deviation ** 2 + 1 - abar)));
    this.#signals = table(alphasCumprod.map((abar) => Math.sqrt(abar)));
    this.#means = table(means);
  }

  forward(x: Tensor, t: Tensor, { classes }: Conditions = {}): Tensor {
    if (!classes) throw new Error("ClassDenoiser: needs classes");
    const isMixed = classes.dtype === "f32";
    const mean = isMixed ? classes.multiply(this.#means).sum(1) : this.#means.gather(classes);
    const perImage = (values: Tensor): Tensor => values.reshape([x.shape[0], 1, 1, 1]);
    const expected = perImage(this.#signals.gather(t).multiply(mean));
    return x.subtract(expected).multiply(perImage(this.#slopes.gather(t)));
  }
}
