import type { Conditions } from "../nn/conditions.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";

/**
 * What a network is trained by: how noise is added to images, and what is asked of the network then. Images are [batch,
 * height, width, channels]; what the network is told of their noise, `t`, is [batch].
 */
export interface Diffusion {
  /** Draws `t` for the images of a training step. */
  drawTimes(random: RandomStream, batch: number): Tensor;
  /** Adds standard normal noise to clean images. */
  qSample(xStart: Tensor, t: Tensor, noise: Tensor): Tensor;
  /** The loss of each image, [batch]. */
  losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor;
  /** The clean images that the network sees in noisy ones; constant to grad(). */
  estimateXStart(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): Tensor;
  /** @throws one line if the network does not return what it should */
  modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput;
}
