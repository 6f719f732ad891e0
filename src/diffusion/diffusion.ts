import type { Conditions } from "../models/conditions/declaration.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkDenoiser } from "./denoiser.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";
import type { NoiseLevels } from "./process/noise-level.ts";
import type { LevelTensors, Process } from "./process/process.ts";
import { RESAMPLES } from "./samplers/parts/repaint.ts";
import { samplingPlan } from "./samplers/plan.ts";
import type { PlanOptions, SamplingPlan } from "./samplers/plan.ts";
import { checkUsualSampling, withUsual } from "./samplers/usual-sampling.ts";
import type { UsualSampling } from "./samplers/usual-sampling.ts";
import { interpolate } from "./sampling/interpolation.ts";
import type { InterpolationOptions } from "./sampling/interpolation.ts";
import { checkCall } from "./sampling/option-types.ts";
import { invert, sample } from "./sampling/sample.ts";
import type { InversionOptions, SampleOptions, SamplerSettings } from "./sampling/sample.ts";
import type { Samples } from "./sampling/sampling.ts";
import { StepPrograms } from "./sampling/step-programs.ts";

/**
 * What a network is trained by and draws with: a process, the loss that a network is trained with, and what sampling does
 * if it is not told otherwise.
 */
export abstract class Diffusion implements Process {
  abstract readonly clipDenoised: boolean;
  abstract readonly levels: NoiseLevels;
  /** Steps when sampling, unless told otherwise, by {@link sampling} too. */
  abstract readonly samplingTimesteps: number;
  /** How it draws unless told otherwise; without, as its kind of diffusion does. */
  readonly sampling: UsualSampling | undefined;
  protected readonly programs = new StepPrograms();

  constructor(sampling?: UsualSampling) {
    if (sampling !== undefined) checkUsualSampling(sampling);
    this.sampling = sampling && { ...sampling };
  }

  /** What its options lead to that users may not expect, one line each: for training to show once. */
  get warnings(): readonly string[] {
    return [];
  }

  abstract drawTimes(random: RandomStream, batch: number): Tensor;
  /** How much signal and noise images have for which the network is told `t`, [batch] or one for all. */
  abstract levelAt(t: Tensor, images: Tensor): LevelTensors;
  abstract modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput;
  abstract xStartOf(prediction: Tensor, x: Tensor, level: LevelTensors): Tensor;
  /** The training loss of each image, [batch]. */
  abstract losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor;
  /**
   * What {@link sample} will do with these options, before anything runs: `plan(options).steps.length` is the number
   * of evaluations of the network, `plan(options).visited` that of the noise levels.
   *
   * @throws one line, if the options do not go together
   */
  plan(options: SamplerSettings = {}): SamplingPlan {
    return samplingPlan(this.levels, this.completed(withUsual(this.sampling, options)));
  }

  /**
   * Fills in what this kind of diffusion does where options say nothing.
   *
   * @throws one line, if it cannot do what they ask for
   */
  protected abstract completed(options: SamplerSettings): PlanOptions;

  /** @throws one line, if {@link sampling} is nothing that this diffusion can do; for the end of a constructor */
  protected checkSampling(): void {
    if (!this.sampling) return;
    try {
      this.plan();
    } catch (error) {
      throw new Error(`sampling: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  /**
   * Draws from q(x_t | x_0), which reaches any level at once: x_t = alpha x_0 + sigma noise; for timesteps, equation 4 of Ho
   * et al. (2020).
   *
   * @param noise standard normal, shaped as `xStart`
   */
  qSample(xStart: Tensor, t: Tensor, noise: Tensor): Tensor {
    const { alpha, sigma } = this.levelAt(t, xStart);
    return alpha.multiply(xStart).add(sigma.multiply(noise));
  }

  /**
   * The network's own estimate of the clean images, made without self-condition and constant to grad(). Training with
   * self-condition (Chen et al. 2022, 2208.04202) feeds it to the {@link losses} in half of the steps.
   *
   * @param x noisy images, `qSample(xStart, t, noise)`
   */
  estimateXStart(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): Tensor {
    const { prediction } = this.modelOutput(model, x, t, conditions);
    const xStart = this.xStartOf(prediction, x, this.levelAt(t, x));
    return (this.clipDenoised ? xStart.clamp(-1, 1) : xStart).stopGradient();
  }

  /**
   * Makes images from noise. Image k of a seed is the same however many are drawn at a time (see `firstIndex`), on the
   * same kind of backend.
   *
   * @returns f32 [batchSize, height, width, channels], about [-1, 1]; within it if predictions are clipped
   */
  async sample(model: Denoiser, options: SampleOptions): Promise<Samples> {
    checkDenoiser("sample", model);
    checkCall("sample", options);
    const { mask, resamples = mask && RESAMPLES } = options;
    return sample(this, this.programs, this.plan({ ...options, resamples }), model, options);
  }

  /**
   * The noise that images are made of: DDIM without noise, backwards (Song et al. 2021, 2010.02502). Sampling by `ddim`
   * over the same levels, with this as `start`, makes them again, up to an error that falls with the number of steps.
   *
   * @param images f32 [batch, height, width, channels], about [-1, 1]
   */
  async invert(model: Denoiser, images: NdArray, options: InversionOptions = {}): Promise<Samples> {
    checkDenoiser("invert", model);
    checkCall("invert", options);
    // Over the levels at which sampling by ddim makes the images again.
    const { steps = this.samplingTimesteps, ...way } = withUsual(this.sampling, { ...options, sampler: "ddim" });
    return invert(this, this.programs, model, images, { ...options, ...way, steps });
  }

  /**
   * Images between others. See {@link InterpolationOptions} for the ways there are.
   *
   * @param x1 f32 [batch, height, width, channels], about [-1, 1]
   * @param x2 the images to go to, shaped as x1
   * @returns all images at the first share `lam`, then all at the second, and so on
   */
  async interpolate(model: Denoiser, x1: NdArray, x2: NdArray, options: InterpolationOptions = {}): Promise<Samples> {
    checkDenoiser("interpolate", model);
    checkCall("interpolate", options, { toClasses: "list", method: "string", lam: "any" });
    return interpolate(this, model, x1, x2, options);
  }

  /** Frees the programs, up to four, that sampling calls left compiled for the next ones. */
  dispose(): void {
    this.programs.dispose();
  }
}
