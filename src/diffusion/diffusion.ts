import { defaultBackend } from "../backend/default.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkImages } from "./process/checks.ts";
import { givenLowres, refuseLowres } from "./sampling/cascade.ts";
import { conditioningOf } from "./sampling/conditioning.ts";
import type { Conditioning, ConditioningOptions } from "./sampling/conditioning.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";
import { interpolate } from "./sampling/interpolation.ts";
import type { InterpolationOptions } from "./sampling/interpolation.ts";
import type { NoiseLevel, NoiseLevels } from "./process/noise-level.ts";
import { inversionPlan } from "./samplers/plan.ts";
import type { LevelOptions, PlanOptions, SamplingPlan } from "./samplers/plan.ts";
import { RESAMPLES } from "./samplers/repaint.ts";
import { checkGiven, imagesShape, runPlan } from "./sampling/sampling.ts";
import type { Samples, SamplingOptions } from "./sampling/sampling.ts";
import { checkedImageSeed } from "./sampling/noise.ts";
import { StepProgram } from "./sampling/step-program.ts";
import type { StepLayout } from "./sampling/step-program.ts";

/** How to sample; what is left out follows from the diffusion's own options. */
export type SamplerSettings = Partial<PlanOptions>;

/**
 * - `sampler`: default of `GaussianDiffusion`: `ddim` if fewer steps than timesteps are asked for, else `ddpm`, as always
 *   when inpainting; of `ElucidatedDiffusion`: `heun`, and `eulerAncestral` when inpainting.
 * - `steps`: default `samplingTimesteps`, for `ddpm` all timesteps unless it inpaints.
 * - `eta`: default `ddimSamplingEta` for `ddim`, else 1.
 * - `resamples`: default 10 if there is a `mask`.
 */
export interface SampleOptions extends SamplingOptions, SamplerSettings {}

/** Which levels to visit on the way from images to noise, and how to follow it. `steps`: default `samplingTimesteps`. */
export interface InversionOptions
  extends
    Partial<LevelOptions>,
    ConditioningOptions,
    Pick<SamplingOptions, "backend" | "returnSteps" | "onStep" | "signal"> {}

/**
 * What a network is trained by and draws with: how noise is added to images, what is asked of the network then, and which
 * clean images its answer means. Images are [batch, height, width, channels]; noisy ones have variance 1,
 * x = alpha x_0 + sigma epsilon. What the network is told of their noise is `t`, [batch], timesteps or other numbers.
 */
export abstract class Diffusion {
  /** Keeps every prediction of the clean images within [-1, 1]. */
  abstract readonly clipDenoised: boolean;
  /** Steps when sampling, unless told otherwise. */
  abstract readonly samplingTimesteps: number;
  protected abstract readonly levels: NoiseLevels;
  /** What its options lead to that users may not expect, one line each: for training to show once. */
  get warnings(): readonly string[] {
    return [];
  }
  /** The program that no one uses now. */
  #idle: StepProgram | undefined;

  /** Draws `t` for the images of a training step. */
  abstract drawTimes(random: RandomStream, batch: number): Tensor;
  /** Adds standard normal noise to clean images. */
  abstract qSample(xStart: Tensor, t: Tensor, noise: Tensor): Tensor;
  /** The training loss of each image, [batch]. */
  abstract losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor;
  /** The clean images that the network sees in noisy ones; constant to grad(). */
  abstract estimateXStart(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): Tensor;
  /**
   * What the network answers.
   *
   * @param t [batch] or one for all
   * @throws one line if that has not the shape that it should
   */
  abstract modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput;
  /** The clean images that the network sees in images of any level are this multiple of them plus that of its output. */
  abstract xStartFactors(level: NoiseLevel): readonly [ofImages: number, ofOutput: number];
  /**
   * What {@link sample} will do with these options, before anything runs: `plan(options).steps.length` is the number
   * of evaluations of the network, `plan(options).visited` that of the noise levels.
   *
   * @throws one line, if the options do not go together
   */
  abstract plan(options?: SamplerSettings): SamplingPlan;

  /**
   * Makes images from noise. Image k of a seed is the same however many are drawn at a time (see `firstIndex`), on the
   * same kind of backend.
   *
   * @returns f32 [batchSize, height, width, channels], about [-1, 1]; within it if predictions are clipped
   */
  async sample(model: Denoiser, options: SampleOptions): Promise<Samples> {
    const { mask, resamples = mask && RESAMPLES, strength = 1, start, init } = options;
    const plan = this.plan({ ...options, resamples });
    const shape = imagesShape(options, model.channels);
    checkGiven(options, plan, shape);
    if (strength < 1 && !start && !init) {
      throw new Error(`sample: strength below 1 leaves no noise to start from: give init, got strength ${strength}`);
    }
    const told = conditioningOf(model, shape, options);
    const seed = checkedImageSeed(options, shape[0]);
    const backend = options.backend ?? (await defaultBackend());
    const lowres = await givenLowres(model, this.levels, options, backend, shape, seed);
    const conditioning = { ...told, conditions: { ...told.conditions, ...lowres } };
    const layout = this.layout({ model, backend, shape, ...conditioning }, plan);
    return this.lend(layout, (program) => runPlan("sample", program, plan, conditioning, { ...options, ...seed }));
  }

  /**
   * The noise that images are made of: DDIM without noise, backwards (Song et al. 2021, 2010.02502). Sampling by `ddim`
   * over the same levels, with this as `start`, makes them again, up to an error that falls with the number of steps.
   *
   * @param images f32 [batch, height, width, channels], about [-1, 1]
   */
  async invert(model: Denoiser, images: NdArray, options: InversionOptions = {}): Promise<Samples> {
    const [batch, height, width] = images.shape;
    refuseLowres("invert", model);
    checkImages("invert: images", images, [batch, height, width, model.channels]);
    const plan = inversionPlan(this.levels, { ...options, steps: options.steps ?? this.samplingTimesteps });
    const conditioning = conditioningOf(model, images.shape, options);
    const backend = options.backend ?? (await defaultBackend());
    // Clipped predictions would lose what the noise must tell about pixels near -1 and 1.
    const layout = {
      ...this.layout({ model, backend, shape: images.shape, ...conditioning }, plan),
      clipDenoised: false,
    };
    return this.lend(layout, (program) =>
      runPlan("invert", program, plan, conditioning, { ...options, start: images }),
    );
  }

  /**
   * Images between others. See {@link InterpolationOptions} for the ways there are.
   *
   * @param x1 f32 [batch, height, width, channels], about [-1, 1]
   * @param x2 the images to go to, shaped as x1
   * @returns all images at the first share `lam`, then all at the second, and so on
   */
  interpolate(model: Denoiser, x1: NdArray, x2: NdArray, options: InterpolationOptions = {}): Promise<Samples> {
    return interpolate(this, model, x1, x2, options);
  }

  /** Frees the program that the last sampling call left compiled for the next one. */
  dispose(): void {
    this.#idle?.dispose();
    this.#idle = undefined;
  }

  /** What a program for a call is compiled for. */
  protected layout(
    call: Pick<StepLayout, "model" | "backend" | "shape" | keyof Conditioning>,
    { memory, isStochastic, isInpainting, timestepType }: SamplingPlan,
  ): StepLayout {
    const { clipDenoised } = this;
    return { diffusion: this, clipDenoised, ...call, memory, isStochastic, isInpainting, timestepType };
  }

  /**
   * Lends a program, which holds the images of one call at a time. One that is idle is kept: enough for repeated calls,
   * and no more memory than one takes.
   */
  protected async lend<T>(layout: StepLayout, use: (program: StepProgram) => Promise<T>): Promise<T> {
    const known = this.#idle?.fits(layout) ? this.#idle : undefined;
    if (known) this.#idle = undefined;
    const program = known ?? new StepProgram(layout);
    try {
      return await use(program);
    } finally {
      this.dispose();
      this.#idle = program;
    }
  }
}
