import { betaSchedule, noiseSchedule } from "unnoise";
import type { BetaSchedule } from "unnoise";

/** The schedules that the figure compares, in the order in which they were published. */
export const COMPARED = [
  "linear",
  "scaledLinear",
  "quadratic",
  "sigmoid",
  "cosine",
  "laplace",
] as const satisfies readonly BetaSchedule[];

/** How much of the picture and of the noise there is at each timestep: their factors in x_t. */
export interface Shares {
  readonly picture: Float64Array;
  readonly noise: Float64Array;
}

export function sharesOf(name: BetaSchedule, timesteps: number): Shares {
  const { sqrtAlphasCumprod, sqrtOneMinusAlphasCumprod } = noiseSchedule(betaSchedule(name, timesteps));
  return { picture: Float64Array.from(sqrtAlphasCumprod), noise: Float64Array.from(sqrtOneMinusAlphasCumprod) };
}

/** Signal against noise as electrical engineers count it: 10 log10 of the ratio of their powers. */
export function decibels({ picture, noise }: Shares, t: number): number {
  return 20 * Math.log10(picture[t] / noise[t]);
}
