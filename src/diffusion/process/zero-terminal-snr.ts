import { noiseSchedule } from "./noise-schedule.ts";
import type { Betas } from "./schedules.ts";

/**
 * Algorithm 1 of Lin et al. (2023, 2305.08891): shifts and scales sqrt(abar) so that the last timestep has no signal
 * left, and the first keeps what it has. The last beta becomes 1, so a network must predict v or x_0, not the noise.
 *
 * @param betaValues at least two, within (0, 1)
 */
export function rescaleZeroTerminalSnr(betaValues: ArrayLike<number>): Betas {
  const { sqrtAlphasCumprod } = noiseSchedule(betaValues);
  const last = sqrtAlphasCumprod.length - 1;
  if (last === 0) throw new Error("rescaleZeroTerminalSnr: needs at least two timesteps, got 1");
  const [first, end] = [sqrtAlphasCumprod[0], sqrtAlphasCumprod[last]];
  const abar = sqrtAlphasCumprod.map((root) => (((root - end) * first) / (first - end)) ** 2);
  return abar.map((value, t) => 1 - value / (t === 0 ? 1 : abar[t - 1]));
}
