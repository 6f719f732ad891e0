import type { NoiseSchedule } from "./noise-schedule.ts";

/** What may be left of an image's variance at the last timestep without being seen in samples. */
const MOST = 0.01;

/**
 * Sampling starts from noise alone, and training never showed the network that if the last timestep leaves much of the
 * image (Lin et al. 2023, 2305.08891): samples then miss what the signal there would have told, such as brightness, and
 * rare kinds of images come out too often.
 *
 * @returns one line about a schedule that leaves more than 1 % of the variance; nothing about others
 */
export function terminalSignalWarning({ alphasCumprod }: NoiseSchedule): string | undefined {
  const timesteps = alphasCumprod.length;
  const left = alphasCumprod[timesteps - 1];
  if (left <= MOST) return undefined;
  const share = (100 * left).toFixed(1);
  return (
    `the last of ${timesteps} timesteps still has ${share} % of the image's variance (alphasCumprod, best below 1 %), but ` +
    "sampling starts from noise alone: take more timesteps, scaled betas, or rescaleBetasZeroSnr"
  );
}
