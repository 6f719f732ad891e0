import { checkNames } from "../config/rules.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkLearnedVariance, checkedOutput } from "./denoiser.ts";
import type { Denoiser, ModelOutput } from "./denoiser.ts";
import { Diffusion } from "./diffusion.ts";
import { velocity } from "./objectives/objective.ts";
import { checkedCount } from "./process/checks.ts";
import { CLEAN, NoiseLevels } from "./process/noise-level.ts";
import type { NoiseLevel } from "./process/noise-level.ts";
import type { LevelTensors } from "./process/process.ts";
import type { TimestepSpacing } from "./process/timestep-spacing.ts";
import type { PlanOptions } from "./samplers/plan.ts";
import type { UsualSampling } from "./samplers/usual-sampling.ts";
import type { SamplerSettings } from "./sampling/sample.ts";

/** How the times of a training step are drawn. */
export type TimeDistribution = "uniform" | "logitNormal";

export const timeDistributions: readonly [TimeDistribution, ...TimeDistribution[]] = ["uniform", "logitNormal"];

export interface RectifiedFlowOptions {
  /**
   * `uniform` over [0, 1), the default (Liu et al. 2022); or `logitNormal`, more often in the middle, where the velocity is
   * hardest to tell (Esser et al. 2024, 2403.03206).
   */
  readonly timeDistribution?: TimeDistribution;
  /** Mean of log(t / (1 - t)) for `logitNormal`; default 0, above it more noise. */
  readonly logitMean?: number;
  /** Its deviation; default 1. */
  readonly logitStd?: number;
  /**
   * Moves all times, of training and sampling, towards noise: t' = shift t / (1 + (shift - 1) t). As larger images need more
   * noise to lose as much, take sqrt(m / n) for m pixels if 1 was right for n (Esser et al. 2024, equation 23); default 1.
   */
  readonly shift?: number;
  /** Steps when sampling, unless `sampling` says how; default 50. */
  readonly samplingTimesteps?: number;
  /** Keeps every prediction of the clean images within [-1, 1] when sampling; default true. */
  readonly clipDenoised?: boolean;
  /** How to draw unless told otherwise, such as `{ sampler: "dpmSolver++2M", steps: 20 }`; default: see `SampleOptions`. */
  readonly sampling?: UsualSampling;
}

const optionNames = [
  "timeDistribution",
  "logitMean",
  "logitStd",
  "shift",
  "samplingTimesteps",
  "clipDenoised",
  "sampling",
] as const satisfies readonly (keyof RectifiedFlowOptions)[];

/** What the network is told is this multiple of the time, as embeddings are made for a thousand timesteps. */
const TOLD = 1000;

/**
 * Rectified flow (Liu et al. 2022, 2209.03003; flow matching with straight paths, Lipman et al. 2022, 2210.02747): images
 * become noise along straight lines, and the network learns how fast,
 *
 *     x = (1 - t) x_0 + t epsilon,   v = dx / dt = epsilon - x_0,   t from 0 to 1
 *
 * so that sampling is a walk along v from t = 1 to 0, which `euler` takes in equal steps; every other sampler can take it
 * too. The network is told 1000 t, f32.
 *
 * @example
 * const diffusion = new RectifiedFlow({ timeDistribution: "logitNormal" });
 * const images = await diffusion.sample(model, { batchSize: 64, imageSize: 28 });
 */
export class RectifiedFlow extends Diffusion {
  readonly timeDistribution: TimeDistribution;
  readonly logitMean: number;
  readonly logitStd: number;
  readonly shift: number;
  readonly samplingTimesteps: number;
  readonly clipDenoised: boolean;
  readonly levels: FlowLevels;

  constructor(options: RectifiedFlowOptions = {}) {
    super(options.sampling);
    checkNames("RectifiedFlow", options, optionNames);
    const { timeDistribution = "uniform", logitMean = 0, logitStd = 1, shift = 1 } = options;
    if (!timeDistributions.includes(timeDistribution)) {
      throw new Error(`timeDistribution: must be one of ${timeDistributions.join(", ")}, got ${timeDistribution}`);
    }
    // Normal numbers from 24 bits stay within 6 deviations; beyond e^-16, float32 holds a time for 1.
    if (!(logitStd > 0 && Math.abs(logitMean) + 6 * logitStd <= 16)) {
      throw new Error(
        `RectifiedFlow: logitStd must be above 0 and logitMean +- 6 logitStd within -16 and 16, got ${logitStd} and ${logitMean}`,
      );
    }
    if (!(shift >= 1e-3 && shift <= 1e3)) throw new Error(`shift: must be from 0.001 to 1000, got ${shift}`);
    this.timeDistribution = timeDistribution;
    this.logitMean = logitMean;
    this.logitStd = logitStd;
    this.shift = shift;
    this.samplingTimesteps = checkedCount("samplingTimesteps:", options.samplingTimesteps ?? 50);
    this.clipDenoised = options.clipDenoised ?? true;
    this.levels = new FlowLevels(shift);
    this.checkSampling();
  }

  drawTimes(random: RandomStream, batch: number): Tensor {
    const drawn =
      this.timeDistribution === "uniform"
        ? random.uniform([batch])
        : random.normal([batch]).multiply(this.logitStd).add(this.logitMean).sigmoid();
    return drawn.multiply(this.shift * TOLD).divide(drawn.multiply(this.shift - 1).add(1));
  }

  levelAt(t: Tensor, images: Tensor): LevelTensors {
    const sigma = t
      .convert("f32")
      .multiply(1 / TOLD)
      .reshape([t.size, ...images.shape.slice(1).map(() => 1)]);
    return { alpha: sigma.negate().add(1), sigma };
  }

  modelOutput(model: Denoiser, x: Tensor, t: Tensor, conditions?: Conditions): ModelOutput {
    const prediction = model.forward(x, t.convert("f32").broadcastTo([x.shape[0]]), conditions);
    return { prediction: checkedOutput(prediction, "images shaped as its input", x.shape) };
  }

  xStartOf(prediction: Tensor, x: Tensor, level: LevelTensors): Tensor {
    return velocity.xStart(x, prediction, level);
  }

  losses(model: Denoiser, xStart: Tensor, t: Tensor, noise: Tensor, conditions?: Conditions): Tensor {
    const { prediction } = this.modelOutput(model, this.qSample(xStart, t, noise), t, conditions);
    const target = velocity.target(xStart, noise, this.levelAt(t, xStart));
    return prediction.subtract(target).square().mean([1, 2, 3]);
  }

  protected completed(options: SamplerSettings): PlanOptions {
    const { sampler = options.resamples === undefined ? "euler" : "eulerAncestral" } = options;
    const { steps = this.samplingTimesteps, varianceType } = options;
    checkLearnedVariance(varianceType, "none");
    return { ...options, sampler, steps };
  }
}

/** Levels along straight paths: alpha = 1 - t, sigma = t. */
export class FlowLevels extends NoiseLevels {
  readonly timesteps = undefined;
  readonly spacings = ["uniform", "karras"] as const;
  readonly range: readonly [number, number] = [0.002, 80];
  readonly #shift: number;

  /** @param shift of the `uniform` times */
  constructor(shift: number) {
    super();
    this.#shift = shift;
  }

  at(timestep: number): NoiseLevel {
    const t = timestep / TOLD;
    return { timestep, alpha: 1 - t, sigma: t };
  }

  withRho(rho: number): NoiseLevel {
    return this.at((TOLD * rho) / (1 + rho));
  }

  nearest(rho: number): NoiseLevel {
    return this.withRho(rho);
  }

  /** Times at equal distances down from 1, shifted. */
  spaced(_spacing: TimestepSpacing, steps: number): NoiseLevel[] {
    const times = Array.from({ length: steps }, (_, i) => 1 - i / steps);
    return [...times.map((t) => this.at((TOLD * this.#shift * t) / (1 + (this.#shift - 1) * t))), CLEAN];
  }
}
