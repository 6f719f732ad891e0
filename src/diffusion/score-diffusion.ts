import { checkNames } from "../config/rules.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkLearnedVariance, checkedOutput } from "./denoiser.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";
import { Diffusion } from "./diffusion.ts";
import { objectives } from "./objectives/objective.ts";
import { checkedCount } from "./process/checks.ts";
import type { LevelTensors } from "./process/process.ts";
import { SdeLevels, VarianceExploding, VariancePreserving } from "./process/sde.ts";
import type { Sde } from "./process/sde.ts";
import type { PlanOptions } from "./samplers/plan.ts";
import type { UsualSampling } from "./samplers/usual-sampling.ts";
import type { SamplerSettings } from "./sampling/sample.ts";

/** Variance exploding (noise is added to images that stay as they are), or preserving (images fade as it is added). */
export type SdeName = "ve" | "vp";

export const sdeNames: readonly [SdeName, ...SdeName[]] = ["ve", "vp"];

export interface ScoreDiffusionOptions {
  /** Default `ve`. */
  readonly sde?: SdeName;
  /** Least noise of `ve`; default 0.01. */
  readonly sigmaMin?: number;
  /** Most noise of `ve`; default 50, about the largest distance between two images of the data. */
  readonly sigmaMax?: number;
  /** How fast noise is added at the start of `vp`; default 0.1. */
  readonly betaMin?: number;
  /** How fast at its end; default 20. */
  readonly betaMax?: number;
  /** Noise levels when sampling, unless `sampling` says how; default 1000, for `annealedLangevin` 10. */
  readonly samplingTimesteps?: number;
  /** Keeps every prediction of the clean images within [-1, 1] when sampling; default true. */
  readonly clipDenoised?: boolean;
  /** How to draw unless told otherwise, such as `{ sampler: "dpmSolver++2M", steps: 20 }`; default: see `SampleOptions`. */
  readonly sampling?: UsualSampling;
}

const optionNames = [
  "sde",
  "sigmaMin",
  "sigmaMax",
  "betaMin",
  "betaMax",
  "samplingTimesteps",
  "clipDenoised",
  "sampling",
] as const satisfies readonly (keyof ScoreDiffusionOptions)[];

/**
 * Score-based generative modelling by stochastic differential equations (Song et al. 2021, 2011.13456): noise is added
 * continuously over t from 0 to 1, and the network learns the score, the gradient of log p(x), for which it answers the noise:
 * score = -epsilon / sigma. Denoising score matching weighted by sigma^2 is the squared error of that.
 *
 * The network is shown x / sqrt(alpha^2 + sigma^2) and told 1000 t, f32. Its samplers are `predictorCorrector` (the default)
 * and `annealedLangevin`, beside all others; `probabilityFlowLikelihood` computes what it thinks of images.
 *
 * @example
 * const diffusion = new ScoreDiffusion({ sde: "vp" });
 * const images = await diffusion.sample(model, { batchSize: 64, imageSize: 28, steps: 200 });
 */
export class ScoreDiffusion extends Diffusion {
  readonly sde: SdeName;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly betaMin: number;
  readonly betaMax: number;
  readonly samplingTimesteps: number;
  readonly clipDenoised: boolean;
  readonly levels: SdeLevels;
  readonly #process: Sde;

  constructor(options: ScoreDiffusionOptions = {}) {
    super(options.sampling);
    checkNames("ScoreDiffusion", options, optionNames);
    const { sde = "ve", sigmaMin = 0.01, sigmaMax = 50, betaMin = 0.1, betaMax = 20 } = options;
    if (!sdeNames.includes(sde)) throw new Error(`sde: must be one of ${sdeNames.join(", ")}, got ${sde}`);
    const [ve, vp] = [new VarianceExploding(sigmaMin, sigmaMax), new VariancePreserving(betaMin, betaMax)];
    this.sde = sde;
    this.sigmaMin = sigmaMin;
    this.sigmaMax = sigmaMax;
    this.betaMin = betaMin;
    this.betaMax = betaMax;
    this.samplingTimesteps = checkedCount("samplingTimesteps:", options.samplingTimesteps ?? 1000);
    this.clipDenoised = options.clipDenoised ?? true;
    this.#process = { ve, vp }[sde];
    this.levels = new SdeLevels(this.#process);
    this.checkSampling();
  }

  /** Uniform from the least time that the process knows to 1. */
  drawTimes(random: RandomStream, batch: number): Tensor {
    const { leastTime } = this.#process;
    return random
      .uniform([batch])
      .multiply(1000 * (1 - leastTime))
      .add(1000 * leastTime);
  }

  levelAt(t: Tensor, images: Tensor): LevelTensors {
    const time = t.convert("f32").multiply(1 / 1000);
    return this.#process.levelAt(time.reshape([t.size, ...images.shape.slice(1).map(() => 1)]));
  }

  modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput {
    const { alpha, sigma } = this.levelAt(t, x);
    const input = x.divide(alpha.square().add(sigma.square()).sqrt());
    const prediction = model.forward(input, t.convert("f32").broadcastTo([x.shape[0]]), conditions);
    return { prediction: checkedOutput(prediction, "images shaped as its input", x.shape) };
  }

  xStartOf(prediction: Tensor, x: Tensor, level: LevelTensors): Tensor {
    return objectives.predNoise.xStart(x, prediction, level);
  }

  losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor {
    const { prediction } = this.modelOutput(model, this.qSample(xStart, t, noise), t, conditions);
    return prediction.subtract(noise).square().mean([1, 2, 3]);
  }

  protected completed(options: SamplerSettings): PlanOptions {
    const { sampler = options.resamples === undefined ? "predictorCorrector" : "ddpm", varianceType } = options;
    const { steps = sampler === "annealedLangevin" ? 10 : this.samplingTimesteps } = options;
    checkLearnedVariance(varianceType, "none");
    return { ...options, sampler, steps };
  }
}
