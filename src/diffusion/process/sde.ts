import { full } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { CLEAN, NoiseLevels, checkRhos, rhoOf } from "./noise-level.ts";
import type { NoiseLevel } from "./noise-level.ts";
import type { LevelTensors } from "./process.ts";
import type { TimestepSpacing } from "./timestep-spacing.ts";

/** A stochastic differential equation of Song et al. (2021, 2011.13456) that makes noise of images over t from 0 to 1. */
export interface Sde {
  /** Below it there is too little noise to tell the score by. */
  readonly leastTime: number;
  /** Signal and noise at a time. */
  at(time: number): { readonly alpha: number; readonly sigma: number };
  /** The same of tensors of any shape. */
  levelAt(time: Tensor): LevelTensors;
  /** When sigma / alpha is this much. */
  timeOf(rho: number): number;
}

/** The limit of SMLD, equation 9: alpha = 1, sigma = sigmaMin (sigmaMax / sigmaMin)^t. */
export class VarianceExploding implements Sde {
  readonly leastTime = 1e-5;
  readonly #least: number;
  readonly #logRatio: number;

  constructor(sigmaMin: number, sigmaMax: number) {
    checkRhos({ sigmaMin, sigmaMax });
    if (!(sigmaMin < sigmaMax)) throw new Error(`sigmaMin: must be below sigmaMax, got ${sigmaMin} and ${sigmaMax}`);
    this.#least = sigmaMin;
    this.#logRatio = Math.log(sigmaMax / sigmaMin);
  }

  at(time: number): { readonly alpha: number; readonly sigma: number } {
    return { alpha: 1, sigma: this.#least * Math.exp(this.#logRatio * time) };
  }

  levelAt(time: Tensor): LevelTensors {
    return { alpha: full(time.shape, 1), sigma: time.multiply(this.#logRatio).exp().multiply(this.#least) };
  }

  timeOf(rho: number): number {
    return Math.log(rho / this.#least) / this.#logRatio;
  }
}

/**
 * The limit of DDPM, equation 11, with beta(t) = betaMin + t (betaMax - betaMin): log alpha is minus half of its integral, and
 * sigma^2 = 1 - alpha^2.
 */
export class VariancePreserving implements Sde {
  readonly leastTime = 1e-3;
  readonly #betaMin: number;
  readonly #rise: number;

  constructor(betaMin: number, betaMax: number) {
    if (!(betaMin > 0 && betaMin < betaMax && betaMax <= 60)) {
      throw new Error(`betaMin: must be above 0 and below betaMax, which may be 60, got ${betaMin} and ${betaMax}`);
    }
    this.#betaMin = betaMin;
    this.#rise = betaMax - betaMin;
  }

  at(time: number): { readonly alpha: number; readonly sigma: number } {
    const logAlpha = -time * (this.#betaMin / 2 + (time * this.#rise) / 4);
    return { alpha: Math.exp(logAlpha), sigma: Math.sqrt(-Math.expm1(2 * logAlpha)) };
  }

  levelAt(time: Tensor): LevelTensors {
    const logAlpha = time
      .multiply(this.#rise / 4)
      .add(this.#betaMin / 2)
      .multiply(time)
      .negate();
    // sigma^2 = -2 tanh(log alpha) / (1 - tanh(log alpha)) keeps the digits of 1 - alpha^2 where that is near 0.
    const tanh = logAlpha.tanh();
    const sigma = tanh.multiply(-2).divide(tanh.negate().add(1)).sqrt();
    return { alpha: logAlpha.exp(), sigma };
  }

  timeOf(rho: number): number {
    const logAlpha = -Math.log1p(rho * rho) / 2;
    return (Math.sqrt(this.#betaMin ** 2 / 4 - this.#rise * logAlpha) - this.#betaMin / 2) / (this.#rise / 2);
  }
}

/** The levels of such a process; the network is told 1000 t. */
export class SdeLevels extends NoiseLevels {
  readonly timesteps = undefined;
  readonly spacings = ["uniform", "karras"] as const;
  readonly range: readonly [number, number];
  readonly #sde: Sde;

  constructor(sde: Sde) {
    super();
    this.#sde = sde;
    this.range = [rhoOf(this.at(1000 * sde.leastTime)), Math.min(rhoOf(this.at(1000)), 80)];
  }

  at(timestep: number): NoiseLevel {
    return { timestep, ...this.#sde.at(timestep / 1000) };
  }

  withRho(rho: number): NoiseLevel {
    return this.at(1000 * this.#sde.timeOf(rho));
  }

  nearest(rho: number): NoiseLevel {
    const [least, most] = [rhoOf(this.at(1000 * this.#sde.leastTime)), rhoOf(this.at(1000))];
    return this.withRho(Math.min(Math.max(rho, least), most));
  }

  /** Times at equal distances from 1 to the least. */
  spaced(_spacing: TimestepSpacing, steps: number): NoiseLevel[] {
    const share = (1 - this.#sde.leastTime) / Math.max(1, steps - 1);
    return [...Array.from({ length: steps }, (_, i) => this.at(1000 * (1 - i * share))), CLEAN];
  }
}
