import type { Conditions } from "../../models/conditions/declaration.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Denoiser, ModelOutput } from "../denoiser.ts";
import type { NoiseLevels } from "./noise-level.ts";

/** x = alpha x_0 + sigma epsilon: of each image, in a shape that broadcasts over the images, or scalars for all. */
export interface LevelTensors {
  readonly alpha: Tensor;
  readonly sigma: Tensor;
}

/**
 * How noise is added to images, and which clean images a network's answer means: all that sampling needs to know. Images
 * are [batch, height, width, channels], noisy ones x = alpha x_0 + sigma epsilon with standard normal epsilon. What the
 * network is told of their noise is `t`, [batch], timesteps or other numbers.
 */
export interface Process {
  /** Keeps every prediction of the clean images within [-1, 1]. */
  readonly clipDenoised: boolean;
  /** The noise levels that samplers choose from. */
  readonly levels: NoiseLevels;

  /** Draws `t` for the images of a training step. */
  drawTimes(random: RandomStream, batch: number): Tensor;
  /** Adds standard normal noise to clean images. */
  qSample(xStart: Tensor, t: Tensor, noise: Tensor): Tensor;
  /**
   * What the network answers.
   *
   * @param t [batch] or one for all
   * @throws one line if that has not the shape that it should
   */
  modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput;
  /** The clean images that the network sees in images of these levels, by what it answered. */
  xStartOf(prediction: Tensor, x: Tensor, level: LevelTensors): Tensor;
}
