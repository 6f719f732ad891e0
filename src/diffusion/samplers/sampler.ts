import type { Tensor } from "../../tensor/tensor.ts";
import type { Predictions } from "../denoiser.ts";

/** One evaluation of the network on the way from noise to images. */
export interface SamplerStep {
  /** Images at the noise level of `t`. */
  readonly x: Tensor;
  /** The timestep, an i32 scalar. */
  readonly t: Tensor;
  /** How many steps went before, an i32 scalar. */
  readonly index: Tensor;
  /** Standard normal, shaped as `x`. */
  readonly noise: Tensor;
  /** The network's view of images at a timestep. */
  readonly predict: (x: Tensor, t: Tensor) => Predictions;
}

/** Images at the next noise level, and the clean images that the network saw in `x`. */
export interface SamplerStepResult {
  readonly x: Tensor;
  readonly xStart: Tensor;
}

/** A way from noise to images. `step` is traced once; what changes from step to step comes in as tensors. */
export interface Sampler {
  /** Names the algorithm and its settings: samplers of one name take the same steps. */
  readonly name: string;
  /** The timesteps at which the network is asked, in order. */
  readonly timesteps: readonly number[];
  step(state: SamplerStep): SamplerStepResult;
}
