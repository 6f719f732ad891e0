import { karrasRhos } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import type { Betas } from "../process/schedules.ts";
import { betaQuantile } from "./beta-quantile.ts";
import type { Spacing } from "./fields.ts";

/** How the visited noise levels are spread between their ends, if they are not those of the visited timesteps. */
export type Spread = "karras" | "exponential" | "beta";

/** Half to even, as NumPy rounds. */
export function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** sigma / alpha of a share of the variance that is left. */
export function sigmaOf(abar: number): number {
  return ((1 - abar) / abar) ** 0.5;
}

/** What the network is told, and how much noise there is beside an image that was not scaled. */
export interface VisitedSigma {
  readonly timestep: number;
  readonly sigma: number;
}

/** The level of images that are scaled so that alpha^2 + sigma^2 = 1. */
export function levelOf({ timestep, sigma }: VisitedSigma): NoiseLevel {
  const alpha = 1 / Math.sqrt(sigma ** 2 + 1);
  return { timestep, alpha, sigma: sigma * alpha };
}

export interface SpacingOptions {
  readonly spacing: Spacing;
  readonly steps: number;
  /** Timesteps in training. */
  readonly timesteps: number;
  /** Of them, those that may be visited; default all. */
  readonly usable?: number;
  /** What is added to every timestep with `leading`. */
  readonly offset: number;
  /** Whether `linspace` and `leading` spread one point more, and leave out the last: that with the least noise. */
  readonly leavesOutLast?: boolean;
  /** Whether timesteps with `linspace` may lie between two. */
  readonly mayBeFractions?: boolean;
}

/**
 * diffusers' timesteps, the noisiest first. Its `trailing` has one more, -1, for some numbers of steps such as 61 of 1,000, which
 * is a rounding error there.
 *
 * @throws one line if one of them lies beyond those of the training
 */
export function visitedTimesteps(options: SpacingOptions): number[] {
  const { spacing, steps, timesteps, usable = timesteps, offset, leavesOutLast = false } = options;
  const points = steps + (leavesOutLast ? 1 : 0);
  const rising = (at: (i: number) => number): number[] =>
    Array.from({ length: points }, (_, i) => at(i))
      .toReversed()
      .slice(0, steps);
  const round = options.mayBeFractions ? (value: number): number => value : roundHalfToEven;
  const stride = Math.floor(usable / points);
  const distance = timesteps / steps;
  const visited = {
    linspace: () => rising((i) => round(points === 1 ? 0 : (i * (usable - 1)) / (points - 1))),
    leading: () => rising((i) => i * stride + offset),
    trailing: () =>
      Array.from(
        { length: Math.min(steps, Math.ceil(usable / distance)) },
        (_, i) => roundHalfToEven(usable - i * distance) - 1,
      ),
  }[spacing]();
  if (visited[0] < timesteps) return visited;
  throw new Error(`steps_offset must leave the ${steps} steps below timestep ${timesteps}, got ${offset}`);
}

/** sigma at a timestep between two, by linear interpolation. */
export function interpolated(sigmas: Betas, timestep: number): number {
  const low = Math.min(Math.floor(timestep), sigmas.length - 2);
  if (sigmas.length === 1) return sigmas[0];
  return sigmas[low] + (timestep - low) * (sigmas[low + 1] - sigmas[low]);
}

/** The timestep at which there is this sigma, by linear interpolation of its logarithm. */
export function timestepWithSigma(sigmas: Betas, sigma: number): number {
  if (sigmas.length === 1) return 0;
  const below = Math.min(
    Math.max(
      0,
      sigmas.findLastIndex((value) => value <= sigma),
    ),
    sigmas.length - 2,
  );
  const [low, high] = [Math.log(sigmas[below]), Math.log(sigmas[below + 1])];
  return below + Math.min(1, Math.max(0, (Math.log(sigma) - low) / (high - low)));
}

/** Falling sigmas between two, both included. */
export function sigmasBetween(spread: Spread, steps: number, most: number, least: number): number[] {
  const share = (i: number): number => (steps === 1 ? 0 : i / (steps - 1));
  const shares = Array.from({ length: steps }, (_, i) => share(i));
  switch (spread) {
    case "karras":
      return karrasRhos(steps, least, most);
    case "exponential":
      return shares.map((share) => Math.exp(Math.log(most) + share * (Math.log(least) - Math.log(most))));
    case "beta":
      // Lee et al. (2024, 2407.12173)
      return shares.map((share) => least + betaQuantile(1 - share, 0.6, 0.6) * (most - least));
  }
}
