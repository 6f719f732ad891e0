import type { Backend } from "../backend/backend.ts";
import { defaultBackend } from "../backend/default.ts";
import { huberLoss, l1Loss, mseLoss } from "../tensor/functions.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Denoiser } from "./denoiser.ts";
import { DiffusionProcess } from "./process.ts";
import type { DiffusionProcessOptions } from "./process.ts";
import { ddimSampler } from "./samplers/ddim.ts";
import { ddpmSampler } from "./samplers/ddpm.ts";
import type { Sampler } from "./samplers/sampler.ts";
import { checkedSeed, integer, runSampler, stepProgram } from "./sampling.ts";
import type { Samples, SamplingOptions, StepProgram } from "./sampling.ts";
import { betaSchedule } from "./schedules.ts";
import type { BetaSchedule } from "./schedules.ts";

/** l1: mean absolute error. l2: mean squared error. huber: half the square below 1, linear above (smooth L1). */
export type LossType = "l1" | "l2" | "huber";

const losses = { l1: l1Loss, l2: mseLoss, huber: huberLoss } as const;

export interface GaussianDiffusionOptions extends Omit<DiffusionProcessOptions, "betas"> {
  /** Variance of the noise that each timestep adds, all within (0, 1). */
  readonly betas?: ArrayLike<number>;
  /** Instead of betas: the number of timesteps of a schedule by name. */
  readonly timesteps?: number;
  /** Default `linear`. */
  readonly betaSchedule?: BetaSchedule;
  /** Default `l2`, L_simple of Ho et al. (2020). */
  readonly lossType?: LossType;
  /** Evaluations of the network when sampling; fewer than the timesteps means DDIM. Default: all timesteps. */
  readonly samplingTimesteps?: number;
  /** Default 0. */
  readonly ddimSamplingEta?: number;
}

export interface LossOptions {
  /** An estimate of the clean images for a model with self-condition, see {@link GaussianDiffusion.estimateXStart}. */
  readonly selfCondition?: Tensor;
}

export interface SampleOptions extends SamplingOptions {
  /** Default: `ddim` if fewer steps than timesteps are asked for, else `ddpm`. */
  readonly sampler?: "ddpm" | "ddim";
  /** Evaluations of the network; default `samplingTimesteps`. */
  readonly steps?: number;
  /** Default `ddimSamplingEta`. */
  readonly eta?: number;
}

export interface PSampleOptions {
  /** Standard normal, shaped as x; drawn from the seed without it. */
  readonly noise?: NdArray;
  readonly seed?: number;
  readonly selfCondition?: NdArray;
  readonly backend?: Backend;
}

interface CachedProgram {
  readonly model: Denoiser;
  readonly backend: Backend;
  readonly sampler: string;
  readonly program: StepProgram;
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
  readonly samplingTimesteps: number;
  readonly ddimSamplingEta: number;
  #cached: CachedProgram | undefined;

  constructor(options: GaussianDiffusionOptions) {
    super({ ...options, betas: betasOf(options) });
    const { lossType = "l2", samplingTimesteps = this.timesteps, ddimSamplingEta = 0 } = options;
    if (!Object.hasOwn(losses, lossType)) {
      throw new Error(`lossType: must be one of ${Object.keys(losses).join(", ")}, got ${lossType}`);
    }
    // Checks both numbers.
    ddimSampler(this, { steps: samplingTimesteps, eta: ddimSamplingEta });
    this.lossType = lossType;
    this.samplingTimesteps = samplingTimesteps;
    this.ddimSamplingEta = ddimSamplingEta;
  }

  /**
   * The training loss, line 5 of Algorithm 1, as a scalar: how far the network's output for `qSample(xStart, t, noise)`
   * is from its objective.
   *
   * @param xStart clean images within [-1, 1], [batch, height, width, channels]
   * @param t i32 [batch], uniform in [0, timesteps)
   * @param noise standard normal, shaped as xStart
   */
  pLosses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, { selfCondition }: LossOptions = {}): Tensor {
    const output = model.forward(this.qSample(xStart, t, noise), t, selfCondition);
    return losses[this.lossType](output, this.target(xStart, t, noise));
  }

  /**
   * The network's own estimate of the clean images, made without self-condition and constant to grad(). Training with
   * self-condition (Chen et al. 2022, 2208.04202) feeds it to {@link pLosses} in half of the steps.
   *
   * @param x noisy images, `qSample(xStart, t, noise)`
   */
  estimateXStart(model: Denoiser, x: Tensor, t: Tensor): Tensor {
    return this.modelPredictions(model, x, t).xStart.stopGradient();
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
    const program = this.#program(model, options.backend ?? (await defaultBackend()), ddpmSampler(this));
    const noise = options.noise ?? ndarray([checkedSeed(options.seed)], [], "u32");
    const zeros = (): NdArray => ndarray(new Float32Array(x.data.length), x.shape);
    const known = model.selfCondition ? [options.selfCondition ?? zeros()] : [];
    const next = await program(x, integer(t), integer(this.timesteps - 1 - t), noise, ...known);
    return next.x;
  }

  /** Algorithm 2 through all timesteps. */
  pSampleLoop(model: Denoiser, options: SamplingOptions): Promise<Samples> {
    return this.#run(model, ddpmSampler(this), options);
  }

  /** DDIM (Song et al. 2021, 2010.02502) with any number of steps up to the timesteps. */
  ddimSample(model: Denoiser, options: Omit<SampleOptions, "sampler">): Promise<Samples> {
    const { steps = this.samplingTimesteps, eta = this.ddimSamplingEta } = options;
    return this.#run(model, ddimSampler(this, { steps, eta }), options);
  }

  /**
   * Makes images from noise. The same seed gives the same images on the same kind of backend.
   *
   * @returns f32 [batchSize, height, width, channels], about [-1, 1]; within it if predictions are clipped
   */
  async sample(model: Denoiser, options: SampleOptions): Promise<Samples> {
    const { steps, sampler = (steps ?? this.samplingTimesteps) === this.timesteps ? "ddpm" : "ddim" } = options;
    if (sampler === "ddim") return this.ddimSample(model, options);
    if (sampler !== "ddpm") throw new Error(`sample: sampler must be ddpm or ddim, got ${String(sampler)}`);
    if (steps === undefined || steps === this.timesteps) return this.pSampleLoop(model, options);
    throw new Error(`sample: ddpm takes all ${this.timesteps} steps, got ${steps}; ddim takes any number`);
  }

  /** Frees the program that the last sampling call left compiled for the next one. */
  dispose(): void {
    this.#cached?.program.dispose();
    this.#cached = undefined;
  }

  async #run(model: Denoiser, sampler: Sampler, options: SamplingOptions): Promise<Samples> {
    const backend = options.backend ?? (await defaultBackend());
    return runSampler(this.#program(model, backend, sampler), sampler, this, model, backend, options);
  }

  /** Keeps one program: enough for repeated calls, and no more memory than one takes. */
  #program(model: Denoiser, backend: Backend, sampler: Sampler): StepProgram {
    const known = this.#cached;
    if (known?.model === model && known.backend === backend && known.sampler === sampler.name) return known.program;
    this.dispose();
    const program = stepProgram(backend, this, model, (state) => sampler.step(state));
    this.#cached = { model, backend, sampler: sampler.name, program };
    return program;
  }
}

function betasOf({ betas, timesteps, betaSchedule: name }: GaussianDiffusionOptions): ArrayLike<number> {
  const isNamed = timesteps !== undefined || name !== undefined;
  if (betas && !isNamed) return betas;
  if (betas || timesteps === undefined) {
    throw new Error("GaussianDiffusion: needs either betas, or timesteps with a betaSchedule");
  }
  return betaSchedule(name ?? "linear", timesteps);
}
