import { checkOptions } from "../config/rules.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import type { RandomStream } from "../tensor/random.ts";
import { full } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkLearnedVariance, checkedOutput } from "./denoiser.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";
import { Diffusion } from "./diffusion.ts";
import type { SamplerSettings } from "./sampling/sample.ts";
import { checkedCount } from "./process/checks.ts";
import { ContinuousLevels, checkRhos } from "./process/noise-level.ts";
import type { LevelTensors } from "./process/process.ts";
import type { PlanOptions } from "./samplers/plan.ts";
import type { UsualSampling } from "./samplers/usual-sampling.ts";

export interface ElucidatedDiffusionOptions {
  /** Deviation of the images' values; default 0.5, of images within [-1, 1]. */
  readonly sigmaData?: number;
  /** Mean of the logarithm of the noise levels that it trains on; default -1.2. */
  readonly pMean?: number;
  /** Its deviation; default 1.2. */
  readonly pStd?: number;
  /** Noise level that sampling ends before; default 0.002. */
  readonly sigmaMin?: number;
  /** Noise level that sampling starts from; default 80. */
  readonly sigmaMax?: number;
  /** Noise levels when sampling, unless `sampling` says how; default 18, which are 35 evaluations of the network for `heun`. */
  readonly samplingTimesteps?: number;
  /** Keeps every prediction of the clean images within [-1, 1] when sampling; default true. */
  readonly clipDenoised?: boolean;
  /** How to draw unless told otherwise, such as `{ sampler: "dpmSolver++2M", steps: 20 }`; default: see `SampleOptions`. */
  readonly sampling?: UsualSampling;
}

const optionTypes = {
  sigmaData: "number",
  pMean: "number",
  pStd: "number",
  sigmaMin: "number",
  sigmaMax: "number",
  samplingTimesteps: "number",
  clipDenoised: "boolean",
  sampling: "object",
} as const satisfies Record<keyof ElucidatedDiffusionOptions, string>;

/**
 * The diffusion of Karras et al. (2022, 2206.00364, "EDM"; `ElucidatedDiffusion` of denoising-diffusion-pytorch): noise of
 * any level rather than timesteps, and a network F whose input and output have about the same size at every level,
 *
 *     D(X, rho) = c_skip X + c_out F(c_in X, ln(rho) / 4),   X = x_0 + rho epsilon
 *     c_skip = s^2 / (rho^2 + s^2),   c_out = rho s / sqrt(rho^2 + s^2),   c_in = 1 / sqrt(rho^2 + s^2)
 *
 * where D sees the clean images, s is `sigmaData`, and rho is the paper's sigma. As everywhere here, noisy images have
 * variance 1, x = alpha x_0 + sigma epsilon = X / sqrt(1 + rho^2), and `t` is what the network is told, ln(rho) / 4, f32.
 *
 * @example
 * const diffusion = new ElucidatedDiffusion();
 * const images = await diffusion.sample(model, { batchSize: 64, imageSize: 28 });
 */
export class ElucidatedDiffusion extends Diffusion {
  readonly sigmaData: number;
  readonly pMean: number;
  readonly pStd: number;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly samplingTimesteps: number;
  readonly clipDenoised: boolean;
  readonly levels: ContinuousLevels;

  constructor(options: ElucidatedDiffusionOptions = {}) {
    super(options.sampling);
    checkOptions("ElucidatedDiffusion", options, optionTypes);
    const { sigmaData = 0.5, pMean = -1.2, pStd = 1.2, sigmaMin = 0.002, sigmaMax = 80 } = options;
    checkRhos({ sigmaData, sigmaMin, sigmaMax });
    if (!(sigmaMin < sigmaMax)) {
      throw new Error(`ElucidatedDiffusion: sigmaMin must be below sigmaMax, got ${sigmaMin} and ${sigmaMax}`);
    }
    if (!(pStd > 0)) throw new Error(`ElucidatedDiffusion: pStd must be above 0, got ${pStd}`);
    // Normal numbers from 24 bits stay within 6 deviations, and float32 holds the square of e^40.
    if (!(Math.abs(pMean) + 6 * pStd <= 40)) {
      throw new Error(
        `ElucidatedDiffusion: pMean and pStd must keep pMean +- 6 pStd within -40 and 40, got ${pMean} and ${pStd}`,
      );
    }
    this.sigmaData = sigmaData;
    this.pMean = pMean;
    this.pStd = pStd;
    this.sigmaMin = sigmaMin;
    this.sigmaMax = sigmaMax;
    this.samplingTimesteps = checkedCount("samplingTimesteps:", options.samplingTimesteps ?? 18);
    this.clipDenoised = options.clipDenoised ?? true;
    this.levels = new ContinuousLevels([sigmaMin, sigmaMax]);
    this.checkSampling();
  }

  /** Levels for a training step, f32 [batch]: the logarithm of rho is normal. */
  drawTimes(random: RandomStream, batch: number): Tensor {
    return random
      .normal([batch])
      .multiply(this.pStd / 4)
      .add(this.pMean / 4);
  }

  levelAt(t: Tensor, images: Tensor): LevelTensors {
    const rho = rhoAt(t, images);
    const whole = size(rho, 1);
    return { alpha: full([], 1).divide(whole), sigma: rho.divide(whole) };
  }

  /**
   * The loss of each image, [batch]: that of D, weighted by 1 / c_out^2, is how far F is from
   *
   *     (x_0 - c_skip X) / c_out = (rho x_0 / s - s epsilon) / sqrt(rho^2 + s^2)
   */
  losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor {
    const { prediction } = this.modelOutput(model, this.qSample(xStart, t, noise), t, conditions);
    const rho = rhoAt(t, xStart);
    const signal = rho.multiply(1 / this.sigmaData).multiply(xStart);
    const target = signal.subtract(noise.multiply(this.sigmaData)).divide(size(rho, this.sigmaData));
    return prediction.subtract(target).square().mean([1, 2, 3]);
  }

  /** D of images of variance 1: c_skip X + c_out F with X = x / alpha. */
  xStartOf(prediction: Tensor, x: Tensor, { alpha, sigma }: LevelTensors): Tensor {
    const s = this.sigmaData;
    const rho = sigma.divide(alpha);
    const whole = size(rho, s);
    const skipped = x.divide(alpha).multiply(full([], s * s).divide(whole.square()));
    return skipped.add(prediction.multiply(rho.multiply(s).divide(whole)));
  }

  /** F for images at levels `t`, [batch] or one for all. */
  modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput {
    const rho = rhoAt(t, x);
    const input = x.multiply(size(rho, 1).divide(size(rho, this.sigmaData)));
    const prediction = model.forward(input, t.convert("f32").broadcastTo([x.shape[0]]), conditions);
    return { prediction: checkedOutput(prediction, "images shaped as its input", x.shape) };
  }

  protected completed(options: SamplerSettings): PlanOptions {
    const { sampler = options.resamples === undefined ? "heun" : "eulerAncestral" } = options;
    const { steps = this.samplingTimesteps, varianceType } = options;
    checkLearnedVariance(varianceType, "none");
    return { ...options, sampler, steps };
  }
}

/** The noise level of each image, in a shape that broadcasts over the images. */
function rhoAt(t: Tensor, images: Tensor): Tensor {
  return t
    .convert("f32")
    .multiply(4)
    .exp()
    .reshape([t.size, ...images.shape.slice(1).map(() => 1)]);
}

/** sqrt(rho^2 + s^2) */
function size(rho: Tensor, s: number): Tensor {
  return rho
    .square()
    .add(s * s)
    .sqrt();
}
