import type { Backend } from "../backend/backend.ts";
import { defaultBackend } from "../backend/default.ts";
import { checkOptions } from "../config/rules.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { RandomStream } from "../tensor/random.ts";
import { literal } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { refuseLowres } from "./sampling/cascade.ts";
import { conditioningOf } from "./sampling/conditioning.ts";
import type { ConditioningOptions } from "./sampling/conditioning.ts";
import { checkLearnedVariance } from "./denoiser.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";
import type { SampleOptions, SamplerSettings } from "./sampling/sample.ts";
import { layoutOf } from "./sampling/step-program.ts";
import { errors, lossTypes } from "./objectives/loss-type.ts";
import type { LossType } from "./objectives/loss-type.ts";
import { minSnrWeights, p2Weights } from "./objectives/loss-weight.ts";
import { DiffusionProcess } from "./diffusion-process.ts";
import type { DiffusionProcessOptions } from "./diffusion-process.ts";
import type { PlanOptions } from "./samplers/plan.ts";
import { checkedImageSeed, noiseKey } from "./sampling/noise.ts";
import { checkImages, checkedCount } from "./process/checks.ts";
import type { Samples, SamplingOptions } from "./sampling/sampling.ts";
import { betaSchedule } from "./process/schedules.ts";
import type { Betas, BetaSchedule } from "./process/schedules.ts";
import { terminalSignalWarning } from "./process/terminal-signal.ts";
import { boundTerm } from "./objectives/variational-bound.ts";
import { rescaleZeroTerminalSnr } from "./process/zero-terminal-snr.ts";

export interface GaussianDiffusionOptions extends Omit<DiffusionProcessOptions, "betas"> {
  /** Variance of the noise that each timestep adds, all within (0, 1). */
  readonly betas?: ArrayLike<number>;
  /** Instead of betas: the number of timesteps of a schedule by name. */
  readonly timesteps?: number;
  /** Default `linear`. */
  readonly betaSchedule?: BetaSchedule;
  /** With timesteps: multiplies the betas by 1000 / timesteps (see `BetaRange`); default false. */
  readonly scaleBetas?: boolean;
  /** Takes the last signal away from the last timestep (Lin et al. 2023, 2305.08891); default false. */
  readonly rescaleBetasZeroSnr?: boolean;
  /** Default `l2`, L_simple of Ho et al. (2020). */
  readonly lossType?: LossType;
  /** What L_vlb counts beside the loss where the variance is learned, lambda of Nichol & Dhariwal; default 0.001. */
  readonly vbLossWeight?: number;
  /** Weights the loss by Min-SNR-gamma (Hang et al. 2023, 2303.09556); default false. */
  readonly minSnrLossWeight?: boolean;
  /** Default 5. */
  readonly minSnrGamma?: number;
  /** Weights the loss by P2 with this gamma (Choi et al. 2022, 2204.00227); default 0: not. */
  readonly p2LossWeightGamma?: number;
  /** Default 1. */
  readonly p2LossWeightK?: number;
  /** Steps when sampling, unless `sampling` says how; fewer than the timesteps means DDIM. Default: all timesteps. */
  readonly samplingTimesteps?: number;
  /** Default 0. */
  readonly ddimSamplingEta?: number;
}

const optionTypes = {
  betas: "list",
  timesteps: "number",
  betaSchedule: "string",
  scaleBetas: "boolean",
  rescaleBetasZeroSnr: "boolean",
  objective: "string",
  varianceType: "string",
  clipDenoised: "boolean",
  lossType: "string",
  vbLossWeight: "number",
  minSnrLossWeight: "boolean",
  minSnrGamma: "number",
  p2LossWeightGamma: "number",
  p2LossWeightK: "number",
  samplingTimesteps: "number",
  ddimSamplingEta: "number",
  sampling: "object",
} as const satisfies Record<keyof GaussianDiffusionOptions, string>;

export interface PSampleOptions extends ConditioningOptions {
  /** Standard normal, shaped as x; drawn from the seed without it. */
  readonly noise?: NdArray;
  readonly seed?: number;
  readonly selfCondition?: NdArray;
  readonly backend?: Backend;
}

/**
 * Denoising diffusion (Ho et al. 2020, 2006.11239): how to add noise, what to train for, and how to sample.
 *
 * Methods that take tensors build a graph, for use inside a compiled program. Methods that take arrays run.
 *
 * @example
 * const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(300), lossType: "huber" });
 * const images = await diffusion.sample(model, { batchSize: 64, imageSize: 28 });
 */
export class GaussianDiffusion extends DiffusionProcess {
  readonly lossType: LossType;
  readonly vbLossWeight: number;
  readonly samplingTimesteps: number;
  readonly ddimSamplingEta: number;
  readonly minSnrLossWeight: boolean;
  readonly minSnrGamma: number;
  readonly p2LossWeightGamma: number;
  readonly p2LossWeightK: number;
  /** What an image's loss counts, by its timestep; all alike without. */
  readonly lossWeights: Betas | undefined;

  constructor(options: GaussianDiffusionOptions) {
    checkOptions("GaussianDiffusion", options, optionTypes);
    super({ ...options, betas: betasOf(options) });
    const { lossType = "l2", vbLossWeight = 0.001, samplingTimesteps = this.timesteps, ddimSamplingEta = 0 } = options;
    if (!lossTypes.includes(lossType)) {
      throw new Error(`lossType: must be one of ${lossTypes.join(", ")}, got ${lossType}`);
    }
    if (!(vbLossWeight >= 0 && vbLossWeight < Infinity)) {
      throw new Error(`vbLossWeight: must be a finite number of at least 0, got ${vbLossWeight}`);
    }
    this.lossType = lossType;
    this.vbLossWeight = vbLossWeight;
    this.samplingTimesteps = samplingTimesteps;
    this.ddimSamplingEta = ddimSamplingEta;
    this.minSnrLossWeight = options.minSnrLossWeight ?? false;
    this.minSnrGamma = options.minSnrGamma ?? 5;
    this.p2LossWeightGamma = options.p2LossWeightGamma ?? 0;
    this.p2LossWeightK = options.p2LossWeightK ?? 1;
    this.lossWeights = this.#lossWeights();
    checkedCount("samplingTimesteps:", samplingTimesteps, this.timesteps);
    if (!(ddimSamplingEta >= 0 && ddimSamplingEta <= 1)) {
      throw new Error(`ddimSamplingEta: must be from 0 to 1, got ${ddimSamplingEta}`);
    }
    this.checkSampling();
  }

  override get warnings(): readonly string[] {
    const warning = terminalSignalWarning(this.schedule);
    return warning === undefined ? [] : [warning];
  }

  /** Timesteps for a training step, i32 [batch], uniform as in line 3 of Algorithm 1. */
  drawTimes(random: RandomStream, batch: number): Tensor {
    return random.integers([batch], this.timesteps);
  }

  /** The training loss, line 5 of Algorithm 1, as a scalar: the mean of the {@link losses}. */
  pLosses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor {
    return this.losses(model, xStart, t, noise, conditions).mean();
  }

  /**
   * The training loss of each image, [batch]: how far the network's output for `qSample(xStart, t, noise)` is from its
   * objective. Where it learns the variance, this is L_hybrid of Nichol & Dhariwal (2021, 2102.09672): the bound adds
   * `vbLossWeight` times T L_t in bits per dimension, and teaches the variance alone.
   *
   * @param xStart clean images within [-1, 1], [batch, height, width, channels]
   * @param t i32 [batch], uniform in [0, timesteps)
   * @param noise standard normal, shaped as xStart
   * @param conditions what the model is told; `selfCondition` may come from {@link estimateXStart}
   */
  losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor {
    const x = this.qSample(xStart, t, noise);
    const output = this.modelOutput(model, x, t, conditions);
    const bound = (output: ModelOutput): Tensor => {
      const step = this.reverseStep(output, x, t, { clipDenoised: false });
      return boundTerm(this, xStart, x, t, step).multiply(this.timesteps);
    };
    if (this.lossType === "vlb") return bound(output);
    const difference = output.prediction.subtract(this.target(xStart, t, noise));
    const simple = this.#weighted(errors[this.lossType](difference).mean([1, 2, 3]), t);
    if (!output.variance) return simple;
    const ofVariance = bound({ ...output, prediction: output.prediction.stopGradient() });
    return simple.add(ofVariance.multiply(this.vbLossWeight));
  }

  /**
   * One step of Algorithm 2, from timestep t to t - 1 (from 0 to images). Without clipping its mean is equation 11.
   *
   * @param x images at timestep t, f32 [batch, height, width, channels]
   */
  async pSample(model: Denoiser, x: NdArray, t: number, options: PSampleOptions = {}): Promise<NdArray> {
    if (!Number.isInteger(t) || t < 0 || t >= this.timesteps) {
      throw new Error(`pSample: t must be a whole number from 0 to ${this.timesteps - 1}, got ${t}`);
    }
    refuseLowres("pSample", model);
    const { backend = await defaultBackend(), noise, seed, selfCondition } = options;
    for (const [name, images] of Object.entries({ noise, selfCondition })) {
      if (images) checkImages(`pSample: ${name}`, images, x.shape);
    }
    const plan = this.plan(this.#allTimesteps());
    const index = this.timesteps - 1 - t;
    const conditioning = conditioningOf(model, x.shape, options);
    const layout = layoutOf(this, { model, backend, shape: x.shape, ...conditioning }, plan);
    return this.programs.lend(layout, async (program) => {
      await program.begin({ x, xStart: selfCondition, ...conditioning });
      await program.step(plan.steps[index], noise ?? noiseKey(checkedImageSeed({ seed }, x.shape[0]), index));
      await program.checkFinite("pSample");
      return program.images();
    });
  }

  /** Algorithm 2 through all timesteps. */
  pSampleLoop(model: Denoiser, options: SamplingOptions): Promise<Samples> {
    return this.sample(model, { ...options, ...this.#allTimesteps() });
  }

  /** DDIM (Song et al. 2021, 2010.02502) with any number of steps up to the timesteps. */
  ddimSample(model: Denoiser, options: Omit<SampleOptions, "sampler">): Promise<Samples> {
    return this.sample(model, { ...options, sampler: "ddim" });
  }

  #allTimesteps(): SamplerSettings {
    return { sampler: "ddpm", steps: this.timesteps, timestepSpacing: "trailing" };
  }

  protected completed(options: SamplerSettings): PlanOptions {
    const usual = options.timesteps?.length ?? options.steps ?? this.samplingTimesteps;
    const isInpainting = options.resamples !== undefined;
    const { sampler = isInpainting || usual === this.timesteps ? "ddpm" : "ddim" } = options;
    const { steps = sampler === "ddpm" && !isInpainting ? this.timesteps : this.samplingTimesteps } = options;
    const { eta = sampler === "ddim" ? this.ddimSamplingEta : undefined } = options;
    const usualVariance = isInpainting && this.varianceType === "learnedRange" ? "fixedSmall" : this.varianceType;
    const { varianceType = sampler === "ddpm" ? usualVariance : undefined } = options;
    checkLearnedVariance(varianceType, this.varianceType);
    return { ...options, sampler, steps, eta, varianceType };
  }

  #weighted(losses: Tensor, t: Tensor): Tensor {
    if (!this.lossWeights) return losses;
    return losses.multiply(literal(ndarray(Float32Array.from(this.lossWeights), [this.timesteps])).gather(t));
  }

  #lossWeights(): Betas | undefined {
    const { schedule, objective, minSnrLossWeight, p2LossWeightGamma } = this;
    if (minSnrLossWeight && p2LossWeightGamma !== 0) {
      throw new Error("GaussianDiffusion: takes minSnrLossWeight or p2LossWeightGamma, got both");
    }
    if (this.lossType === "vlb" && (minSnrLossWeight || p2LossWeightGamma !== 0)) {
      throw new Error("GaussianDiffusion: minSnrLossWeight and p2LossWeightGamma are not for lossType vlb");
    }
    if (minSnrLossWeight) return minSnrWeights(schedule, objective, this.minSnrGamma);
    if (p2LossWeightGamma === 0) return undefined;
    return p2Weights(schedule, objective, p2LossWeightGamma, this.p2LossWeightK);
  }
}

function betasOf({ rescaleBetasZeroSnr = false, ...options }: GaussianDiffusionOptions): ArrayLike<number> {
  const betas = givenBetas(options);
  return rescaleBetasZeroSnr ? rescaleZeroTerminalSnr(betas) : betas;
}

function givenBetas({
  betas,
  timesteps,
  betaSchedule: name,
  scaleBetas: scale = false,
}: GaussianDiffusionOptions): ArrayLike<number> {
  const isNamed = timesteps !== undefined || name !== undefined || scale;
  if (betas && !isNamed) return betas;
  if (betas || timesteps === undefined) {
    throw new Error("GaussianDiffusion: needs either betas, or timesteps with a betaSchedule");
  }
  return betaSchedule(name ?? "linear", timesteps, { scale });
}
