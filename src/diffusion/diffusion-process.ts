import type { Conditions } from "../models/conditions/declaration.ts";
import { isInteger } from "../tensor/dtype.ts";
import { formatShape } from "../tensor/shape.ts";
import { literal } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkedOutput, varianceTypes } from "./denoiser.ts";
import { Diffusion } from "./diffusion.ts";
import type { Denoiser, ModelOutput, Predictions, ReverseStep, VarianceType } from "./denoiser.ts";
import { objectiveNames, objectives } from "./objectives/objective.ts";
import type { Objective, ObjectiveRow } from "./objectives/objective.ts";
import { noiseSchedule } from "./process/noise-schedule.ts";
import { ScheduleLevels } from "./process/noise-level.ts";
import type { LevelTensors } from "./process/process.ts";
import type { NoiseSchedule } from "./process/noise-schedule.ts";
import type { UsualSampling } from "./samplers/usual-sampling.ts";

export interface DiffusionProcessOptions {
  readonly betas: ArrayLike<number>;
  /** Default `predNoise`. */
  readonly objective?: Objective;
  /** Keeps every prediction of the clean images within [-1, 1]; default true. */
  readonly clipDenoised?: boolean;
  /** Default `fixedSmall`. With `learnedRange` the network returns twice the channels. */
  readonly varianceType?: VarianceType;
  /** How to draw unless told otherwise, such as `{ sampler: "dpmSolver++2M", steps: 20 }`; default: see `SampleOptions`. */
  readonly sampling?: UsualSampling;
}

/**
 * The Gaussian diffusion process of Ho et al. (2020, 2006.11239): distributions forward and back, as functions from
 * tensors to tensors. Images are [batch, height, width, channels]; timesteps `t` are integers of shape [batch] from 0
 * (the least noise) to `timesteps` - 1, and may also be a scalar for all images. Others are refused where their values are
 * known as the graph is built; a compiled program that is given others takes the nearest there is.
 */
export abstract class DiffusionProcess extends Diffusion {
  readonly schedule: NoiseSchedule;
  readonly levels: ScheduleLevels;
  readonly timesteps: number;
  readonly objective: Objective;
  readonly clipDenoised: boolean;
  readonly varianceType: VarianceType;
  readonly #tables = new Map<keyof NoiseSchedule, Tensor>();

  constructor(options: DiffusionProcessOptions) {
    super(options.sampling);
    const { betas, objective = "predNoise", clipDenoised = true, varianceType = "fixedSmall" } = options;
    if (!objectiveNames.includes(objective)) {
      throw new Error(`objective: must be one of ${objectiveNames.join(", ")}, got ${objective}`);
    }
    if (!varianceTypes.includes(varianceType)) {
      throw new Error(`varianceType: must be one of ${varianceTypes.join(", ")}, got ${varianceType}`);
    }
    this.schedule = noiseSchedule(betas);
    this.timesteps = this.schedule.betas.length;
    this.levels = new ScheduleLevels(this.schedule);
    const row: ObjectiveRow = objectives[objective];
    if (row.needsSignal && this.schedule.alphasCumprod[this.timesteps - 1] === 0) {
      throw new Error(
        `objective: ${objective} finds no image where no signal is left (the last beta is 1); take predV`,
      );
    }
    this.objective = objective;
    this.clipDenoised = clipDenoised;
    this.varianceType = varianceType;
  }

  /** An array of the schedule at each image's timestep, in a shape that broadcasts over the images `x`. */
  extract(name: keyof NoiseSchedule, t: Tensor, x: Tensor): Tensor {
    const isPerImage = t.rank === 1 && t.shape[0] === x.shape[0];
    if (!isInteger(t.dtype) || (!isPerImage && t.rank !== 0)) {
      const got = `${t.dtype} ${formatShape(t.shape)}`;
      throw new Error(`t: must hold one integer for each of ${x.shape[0]} images, got ${got}`);
    }
    this.#checkKnown(t);
    const values = this.#table(name).gather(t);
    return values.reshape([values.size, ...x.shape.slice(1).map(() => 1)]);
  }

  levelAt(t: Tensor, images: Tensor): LevelTensors {
    return {
      alpha: this.extract("sqrtAlphasCumprod", t, images),
      sigma: this.extract("sqrtOneMinusAlphasCumprod", t, images),
    };
  }

  /**
   * Draws from q(x_t | x_(t-1)), equation 2, one step of the forward process:
   * x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) noise. For t = 0, `xPrevious` is the clean image.
   */
  qStep(xPrevious: Tensor, t: Tensor, noise: Tensor): Tensor {
    const signal = this.extract("sqrtAlphas", t, xPrevious).multiply(xPrevious);
    return signal.add(this.extract("sqrtBetas", t, xPrevious).multiply(noise));
  }

  /** The x_0 that `noise` turned into `x`: (x - sqrt(1 - abar_t) noise) / sqrt(abar_t). */
  predictXStart(x: Tensor, t: Tensor, noise: Tensor): Tensor {
    return objectives.predNoise.xStart(x, noise, this.levelAt(t, x));
  }

  /** The noise that turned `xStart` into `x`: (x - sqrt(abar_t) x_0) / sqrt(1 - abar_t). */
  predictNoise(x: Tensor, t: Tensor, xStart: Tensor): Tensor {
    const { alpha, sigma } = this.levelAt(t, x);
    return x.subtract(alpha.multiply(xStart)).divide(sigma);
  }

  /** v = sqrt(abar_t) noise - sqrt(1 - abar_t) x_0 (Salimans & Ho 2022, 2202.00512). */
  predictV(xStart: Tensor, t: Tensor, noise: Tensor): Tensor {
    return objectives.predV.target(xStart, noise, this.levelAt(t, xStart));
  }

  /** x_0 = sqrt(abar_t) x - sqrt(1 - abar_t) v */
  predictXStartFromV(x: Tensor, t: Tensor, v: Tensor): Tensor {
    return objectives.predV.xStart(x, v, this.levelAt(t, x));
  }

  /** Mean of q(x_(t-1) | x_t, x_0), equation 7. */
  qPosteriorMean(xStart: Tensor, x: Tensor, t: Tensor): Tensor {
    const fromStart = this.extract("posteriorMeanCoef1", t, x).multiply(xStart);
    return fromStart.add(this.extract("posteriorMeanCoef2", t, x).multiply(x));
  }

  /**
   * Mean of p(x_(t-1) | x_t), equation 11: (x - beta_t / sqrt(1 - abar_t) noise) / sqrt(alpha_t). It equals
   * equation 7 at the predicted x_0 as long as that is not clipped.
   */
  pMean(x: Tensor, t: Tensor, noise: Tensor): Tensor {
    const removed = this.extract("betasOverSqrtOneMinusAlphasCumprod", t, x).multiply(noise);
    return this.extract("sqrtRecipAlphas", t, x).multiply(x.subtract(removed));
  }

  /** What the network should return for `qSample(xStart, t, noise)`. */
  target(xStart: Tensor, t: Tensor, noise: Tensor): Tensor {
    return objectives[this.objective].target(xStart, noise, this.levelAt(t, xStart));
  }

  /** The network's output for `x` as noise and as clean images; they agree, also where the latter were clipped. */
  modelPredictions(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): Predictions {
    const { prediction } = this.modelOutput(model, x, t, conditions);
    const xStart = this.#xStartAt(prediction, x, t, this.clipDenoised);
    const isOutput = this.objective === "predNoise" && !this.clipDenoised;
    return { xStart, noise: isOutput ? prediction : this.predictNoise(x, t, xStart) };
  }

  /** The network's output for images at timesteps [batch] or at one for all, i32 or f32. */
  modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput {
    const output = model.forward(x, t.broadcastTo([x.shape[0]]), conditions);
    const learnsVariance = this.varianceType === "learnedRange";
    if (!learnsVariance) return { prediction: checkedOutput(output, "images shaped as its input", x.shape) };
    const both = x.shape.with(x.rank - 1, 2 * x.shape[x.rank - 1]);
    const what = "twice the channels of its input, to learn the variance";
    const [prediction, variance] = checkedOutput(output, what, both).chunk(2);
    return { prediction, variance };
  }

  /**
   * p(x_(t-1) | x_t) from the network's output for `x`: its mean is equation 7 at the predicted x_0, its variance that of
   * the `varianceType`. With t = 0 it is the distribution that the images' likelihood is taken from; there fixed variances
   * are those of t = 1, as in Nichol & Dhariwal (2021, 2102.09672), whose equation 15 a learned one is.
   *
   * @param options.clipDenoised default the process's
   */
  reverseStep(
    { prediction, variance }: ModelOutput,
    x: Tensor,
    t: Tensor,
    { clipDenoised = this.clipDenoised }: { readonly clipDenoised?: boolean } = {},
  ): ReverseStep {
    const mean = this.qPosteriorMean(this.#xStartAt(prediction, x, t, clipDenoised), x, t);
    const least = this.extract("posteriorLogVarianceClipped", t, x);
    const most = this.extract("logBetas", t, x);
    if (variance) {
      const share = variance.add(1).multiply(0.5);
      return { mean, logVariance: least.add(share.multiply(most.subtract(least))) };
    }
    if (this.varianceType === "fixedSmall") return { mean, logVariance: least };
    const isFirst = t.compare("eq", 0).reshape(least.shape);
    return { mean, logVariance: isFirst.select(least, most) };
  }

  xStartOf(prediction: Tensor, x: Tensor, level: LevelTensors): Tensor {
    return objectives[this.objective].xStart(x, prediction, level);
  }

  #xStartAt(prediction: Tensor, x: Tensor, t: Tensor, clipDenoised: boolean): Tensor {
    const xStart = this.xStartOf(prediction, x, this.levelAt(t, x));
    return clipDenoised ? xStart.clamp(-1, 1) : xStart;
  }

  #checkKnown({ op }: Tensor): void {
    const known = op.kind === "literal" ? op.data : op.kind === "constant" ? [op.value] : [];
    const wrong = Array.from(known).find((t) => !(t >= 0 && t < this.timesteps));
    if (wrong !== undefined) throw new Error(`t: must be from 0 to ${this.timesteps - 1}, got ${wrong}`);
  }

  #table(name: keyof NoiseSchedule): Tensor {
    const known = this.#tables.get(name);
    if (known) return known;
    const table = literal({ shape: [this.timesteps], dtype: "f32", data: Float32Array.from(this.schedule[name]) });
    this.#tables.set(name, table);
    return table;
  }
}
