import type { NoisyClassifier } from "../../src/diffusion/sampling/classifier.ts";
import type { Denoiser } from "../../src/diffusion/denoiser.ts";
import { noiseSchedule } from "../../src/diffusion/process/noise-schedule.ts";
import { softmax } from "../../src/tensor/functions/functions.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import { literal } from "../../src/tensor/tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import type { Component } from "./gaussian-mixture.ts";

/**
 * The best possible networks for images of one pixel that come from a mixture of normal distributions, each a class:
 * x_t is of component k with mean sqrt(abar) m_k and variance V_k = abar s_k^2 + 1 - abar.
 */
export class MixtureDenoiser implements Denoiser {
  readonly channels = 1;
  /** Bayes' theorem: p(k | x_t). */
  readonly classifier: NoisyClassifier;
  readonly #sigmas: Tensor;
  readonly #means: Tensor;
  readonly #variances: Tensor;
  readonly #logWeights: Tensor;

  constructor(betas: ArrayLike<number>, components: readonly Component[]) {
    const { alphasCumprod } = noiseSchedule(betas);
    const abars = Array.from(alphasCumprod);
    const table = (value: (abar: number, component: Component) => number): Tensor => {
      const values = abars.flatMap((abar) => components.map((component) => value(abar, component)));
      return literal(ndarray(values, [abars.length, components.length]));
    };
    this.#sigmas = table((abar) => Math.sqrt(1 - abar));
    this.#means = table((abar, { mean }) => Math.sqrt(abar) * mean);
    this.#variances = table((abar, { deviation }) => abar * deviation ** 2 + 1 - abar);
    const weights = components.map(({ weight }) => Math.log(weight));
    this.#logWeights = literal(ndarray(weights, [1, components.length]));
    const forward = (x: Tensor, t: Tensor): Tensor => this.#logits(x, t);
    this.classifier = { channels: 1, numClasses: components.length, forward };
  }

  /** E[noise | x_t] = -sigma times the score, which is the mean of the components' by their share in x_t. */
  forward(x: Tensor, t: Tensor): Tensor {
    const noises = this.#surprise(x, t).divide(this.#variances.gather(t)).multiply(this.#sigmas.gather(t));
    return softmax(this.#logits(x, t)).multiply(noises).sum(1).reshape(x.shape);
  }

  /** x_t - sqrt(abar) m_k, [batch, components]. */
  #surprise(x: Tensor, t: Tensor): Tensor {
    return x.reshape([x.shape[0], 1]).subtract(this.#means.gather(t));
  }

  /** log of weight times density, up to what all components have in common. */
  #logits(x: Tensor, t: Tensor): Tensor {
    const variances = this.#variances.gather(t);
    const exponents = this.#surprise(x, t).square().divide(variances).add(variances.log()).multiply(-0.5);
    return exponents.add(this.#logWeights);
  }
}
