import { timestepsOf } from "./timestep-spacing.ts";
import type { TimestepSpacing } from "./timestep-spacing.ts";
import { LEAST_ALPHA } from "./noise-schedule.ts";
import type { NoiseSchedule } from "./noise-schedule.ts";

/** A point on the way from noise to images, where x = alpha x_0 + sigma epsilon. */
export interface NoiseLevel {
  /** What the network is told; between two timesteps for a level between theirs. Of EDM: ln(rho) / 4; of a flow: 1000 t. */
  readonly timestep: number;
  /** sqrt(abar), where alpha^2 + sigma^2 = 1. */
  readonly alpha: number;
  /** sqrt(1 - abar) */
  readonly sigma: number;
}

/** The end of the way. The network is not asked here. */
export const CLEAN: NoiseLevel = { timestep: -1, alpha: 1, sigma: 0 };

/** sigma_max of Karras et al. (2022): more noise hides images no better. */
const KARRAS_MOST = 80;

/** sigma / alpha, 2^24 at most: the noise beside an image that was not scaled. rho of DEIS; sigma of Karras et al. and k-diffusion. */
export function rhoOf({ alpha, sigma }: NoiseLevel): number {
  return sigma / Math.max(alpha, LEAST_ALPHA);
}

/** Whether rho is a length to measure steps by: not from abar = 2^-24 down, which diffusers takes for no signal. */
export function hasSignal({ alpha, sigma }: NoiseLevel): boolean {
  return alpha > 2 ** -12 * Math.hypot(alpha, sigma);
}

/** log(alpha / sigma), half the logarithm of the signal-to-noise ratio: lambda of DPM-Solver. Infinite without noise. */
export function lambdaOf(level: NoiseLevel): number {
  return -Math.log(rhoOf(level));
}

/** The noise levels that a network knows, from which samplers choose. */
export abstract class NoiseLevels {
  /** How many have whole timesteps; nothing where none has. */
  abstract readonly timesteps: number | undefined;
  /** The ways there are to choose among them, the usual one first. */
  abstract readonly spacings: readonly [TimestepSpacing, ...TimestepSpacing[]];
  /** Least and most rho that sampling visits unless told otherwise. */
  abstract readonly range: readonly [least: number, most: number];

  /** The level that the network is told by this timestep, which need not be whole where there are no `timesteps`. */
  abstract at(timestep: number): NoiseLevel;
  /** `steps` levels of one of the `spacings` other than `karras`, the noisiest first, and the clean end. */
  abstract spaced(spacing: TimestepSpacing, steps: number): NoiseLevel[];
  /** The level with this much noise beside an image that was not scaled. */
  abstract withRho(rho: number): NoiseLevel;
  /** Of the levels that training shows the network, that with the nearest rho. */
  abstract nearest(rho: number): NoiseLevel;

  /**
   * `steps` levels of equation 5 of Karras et al. (2022), the noisiest first, and the clean end.
   *
   * @param sigmaMin least rho, default that of the levels
   * @param sigmaMax largest rho, above it unless there is but one step; default that of the levels, but at most 80
   */
  karras(steps: number, sigmaMin?: number, sigmaMax?: number): NoiseLevel[] {
    const [least = this.range[0], most = this.range[1]] = [sigmaMin, sigmaMax];
    checkRhos({ sigmaMin: least, sigmaMax: most });
    if (steps > 1 && !(least < most)) {
      if (sigmaMin === undefined) throw new Error(`sigmaMax: must be above the least noise, ${least}, got ${most}`);
      if (sigmaMax === undefined) throw new Error(`sigmaMin: must be below the most noise, ${most}, got ${least}`);
      throw new Error(`karras: sigmaMin must be below sigmaMax, got ${least} and ${most}`);
    }
    return [...karrasRhos(steps, least, most).map((rho) => this.withRho(rho)), CLEAN];
  }

  /** The levels of these timesteps, and the clean end. */
  visiting(timesteps: readonly number[]): NoiseLevel[] {
    return [...timesteps.map((t) => this.at(t)), CLEAN];
  }
}

/** The noise levels of a schedule, at its timesteps and between them. */
export class ScheduleLevels extends NoiseLevels {
  readonly timesteps: number;
  readonly spacings = ["trailing", "leading", "linspace", "quadratic", "karras"] as const;
  readonly range: readonly [number, number];
  readonly #schedule: NoiseSchedule;
  readonly #logRho: Float64Array;

  constructor(schedule: NoiseSchedule) {
    super();
    this.#schedule = schedule;
    this.timesteps = schedule.betas.length;
    this.#logRho = Float64Array.from({ length: this.timesteps }, (_, t) => Math.log(rhoOf(this.at(t))));
    this.range = [rhoOf(this.at(0)), Math.min(rhoOf(this.at(this.timesteps - 1)), KARRAS_MOST)];
  }

  at(timestep: number): NoiseLevel {
    const abar = this.#schedule.alphasCumprod[timestep];
    return { timestep, alpha: Math.sqrt(abar), sigma: Math.sqrt(1 - abar) };
  }

  spaced(spacing: TimestepSpacing, steps: number): NoiseLevel[] {
    return this.visiting(timestepsOf(spacing, this.timesteps, steps));
  }

  /** Its timestep interpolates log(rho), and stays within those of the schedule. */
  withRho(rho: number): NoiseLevel {
    return levelWithRho(rho, this.#timestepOf(Math.log(rho)));
  }

  /** Of a whole timestep. */
  nearest(rho: number): NoiseLevel {
    return this.at(Math.round(this.#timestepOf(Math.log(rho))));
  }

  #timestepOf(logRho: number): number {
    const above = this.#logRho.findIndex((value) => value >= logRho);
    if (above === 0) return 0;
    if (above === -1) return this.timesteps - 1;
    const [low, high] = [this.#logRho[above - 1], this.#logRho[above]];
    return above - 1 + (logRho - low) / (high - low);
  }
}

/** Any levels, of which the network is told ln(rho) / 4 (Karras et al. 2022, table 1). */
export class ContinuousLevels extends NoiseLevels {
  readonly timesteps = undefined;
  readonly spacings = ["karras"] as const;
  readonly range: readonly [number, number];

  /** @param range least and most rho when sampling */
  constructor(range: readonly [least: number, most: number]) {
    super();
    this.range = range;
  }

  at(timestep: number): NoiseLevel {
    return this.withRho(Math.exp(4 * timestep));
  }

  spaced(spacing: TimestepSpacing): NoiseLevel[] {
    throw new Error(`internal: these levels have no spacing ${spacing}`);
  }

  withRho(rho: number): NoiseLevel {
    return levelWithRho(rho, Math.log(rho) / 4);
  }

  nearest(rho: number): NoiseLevel {
    return this.withRho(rho);
  }
}

/** @throws unless all are noise that float32 can tell from none and from nothing but noise */
export function checkRhos(rhos: Readonly<Record<string, number>>): void {
  for (const [name, rho] of Object.entries(rhos)) {
    if (rho >= LEAST_ALPHA && rho <= 1 / LEAST_ALPHA) continue;
    throw new Error(`${name}: must be from ${LEAST_ALPHA} to ${1 / LEAST_ALPHA}, got ${rho}`);
  }
}

function levelWithRho(rho: number, timestep: number): NoiseLevel {
  const alpha = 1 / Math.sqrt(1 + rho * rho);
  return { timestep, alpha, sigma: rho * alpha };
}

/** Equation 5 of Karras et al. (2022, 2206.00364): falling noise levels whose 7th roots are at equal distances. */
export function karrasRhos(steps: number, least: number, most: number, rho = 7): number[] {
  const [start, end] = [most ** (1 / rho), least ** (1 / rho)];
  const last = Math.max(1, steps - 1);
  return Array.from({ length: steps }, (_, i) => (start + (i / last) * (end - start)) ** rho);
}
