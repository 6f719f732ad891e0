import type { NoiseSchedule } from "./noise-schedule.ts";

/** A point on the way from noise to images, where x = alpha x_0 + sigma epsilon with alpha^2 + sigma^2 = 1. */
export interface NoiseLevel {
  /** What the network is told; between two timesteps for a level between theirs. */
  readonly timestep: number;
  /** sqrt(abar) */
  readonly alpha: number;
  /** sqrt(1 - abar) */
  readonly sigma: number;
}

/** The end of the way. The network is not asked here. */
export const CLEAN: NoiseLevel = { timestep: -1, alpha: 1, sigma: 0 };

/** What a level without any signal counts as where its logarithm is needed. */
const LEAST_ALPHA = 2 ** -24;

/** sigma_max of Karras et al. (2022): more noise hides images no better. */
const KARRAS_MOST = 80;

/** sigma / alpha: the noise beside an image that was not scaled. rho of DEIS; sigma of Karras et al. and k-diffusion. */
export function rhoOf({ alpha, sigma }: NoiseLevel): number {
  return sigma / Math.max(alpha, LEAST_ALPHA);
}

/** Whether rho is a length to measure steps by: not from abar = 2^-24 down, which diffusers takes for no signal. */
export function hasSignal({ alpha }: NoiseLevel): boolean {
  return alpha > 2 ** -12;
}

/** log(alpha / sigma), half the logarithm of the signal-to-noise ratio: lambda of DPM-Solver. Infinite without noise. */
export function lambdaOf(level: NoiseLevel): number {
  return -Math.log(rhoOf(level));
}

/** The noise levels of a schedule, at its timesteps and between them. */
export class NoiseLevels {
  readonly timesteps: number;
  readonly #schedule: NoiseSchedule;
  readonly #logRho: Float64Array;

  constructor(schedule: NoiseSchedule) {
    this.#schedule = schedule;
    this.timesteps = schedule.betas.length;
    this.#logRho = Float64Array.from({ length: this.timesteps }, (_, t) => Math.log(rhoOf(this.at(t))));
  }

  /** @param timestep whole, from 0 to `timesteps` - 1 */
  at(timestep: number): NoiseLevel {
    const abar = this.#schedule.alphasCumprod[timestep];
    return { timestep, alpha: Math.sqrt(abar), sigma: Math.sqrt(1 - abar) };
  }

  /**
   * The level with this much noise beside an image that was not scaled. Its timestep interpolates log(rho), and stays
   * within those of the schedule.
   */
  withRho(rho: number): NoiseLevel {
    const alpha = 1 / Math.sqrt(1 + rho * rho);
    return { timestep: this.#timestepOf(Math.log(rho)), alpha, sigma: rho * alpha };
  }

  /**
   * `steps` levels of equation 5 of Karras et al. (2022), the noisiest first, and the clean end.
   *
   * @param sigmaMin least rho, default the schedule's
   * @param sigmaMax largest rho, default the schedule's but at most the paper's 80
   */
  karras(steps: number, sigmaMin?: number, sigmaMax?: number): NoiseLevel[] {
    const least = sigmaMin ?? rhoOf(this.at(0));
    const most = sigmaMax ?? Math.min(rhoOf(this.at(this.timesteps - 1)), KARRAS_MOST);
    if (!(least > 0 && most < Infinity && (steps === 1 || least < most))) {
      throw new Error(`karras: sigmaMin must be above 0 and below a finite sigmaMax, got ${least} and ${most}`);
    }
    return [...karrasRhos(steps, least, most).map((rho) => this.withRho(rho)), CLEAN];
  }

  /** The levels of these timesteps, and the clean end. */
  visiting(timesteps: readonly number[]): NoiseLevel[] {
    return [...timesteps.map((t) => this.at(t)), CLEAN];
  }

  #timestepOf(logRho: number): number {
    const above = this.#logRho.findIndex((value) => value >= logRho);
    if (above === 0) return 0;
    if (above === -1) return this.timesteps - 1;
    const [low, high] = [this.#logRho[above - 1], this.#logRho[above]];
    return above - 1 + (logRho - low) / (high - low);
  }
}

/** Equation 5 of Karras et al. (2022, 2206.00364): falling noise levels whose 7th roots are at equal distances. */
export function karrasRhos(steps: number, least: number, most: number, rho = 7): number[] {
  const [start, end] = [most ** (1 / rho), least ** (1 / rho)];
  const last = Math.max(1, steps - 1);
  return Array.from({ length: steps }, (_, i) => (start + (i / last) * (end - start)) ** rho);
}
