import type { NoiseLevel } from "../../process/noise-level.ts";
import { sum } from "./combination.ts";
import { forward } from "./sampler.ts";
import type { SamplerStep } from "./sampler.ts";

/** The paper's choice, and for the length of a jump too. */
export const RESAMPLES = 10;

export interface RepaintOptions {
  /** How often each stretch of `jumpLength` steps is walked; 1 walks straight to the images. */
  readonly resamples: number;
  /** Levels that each jump back towards noise passes. */
  readonly jumpLength: number;
}

/**
 * RePaint, Algorithm 1 of Lugmayr et al. (2022, 2201.09865), with the jumps of its appendix B: inpainting with a network
 * that learned nothing of it. Wherever a step arrives, what is known of the images is put in with that level's noise.
 * What the step painted beside it does not fit to that yet; so noise is added again, up to a level that was there
 * before, and the stretch is walked once more, as often as `resamples` says.
 *
 * Steps and the jump after them are one here, for a jump needs no network and two normal numbers add up to one:
 *
 *     x_t = a x_s + sqrt(sigma_t^2 - a^2 sigma_s^2) z,   a = alpha_t / alpha_s
 *
 * @param levels the levels that the steps connect, the noisiest first
 * @param steps of a sampler that looks back at none, one for each two neighbouring levels
 */
export function repaint(
  levels: readonly NoiseLevel[],
  steps: readonly SamplerStep[],
  options: RepaintOptions,
): SamplerStep[] {
  return walk(steps.length, options).map(({ step, arrival }) => {
    const [down, at] = [levels[step + 1], levels[arrival]];
    const { scale, beta } = forward(down, at);
    const { level, x } = steps[step];
    const deviation = Math.hypot(scale * (x.z ?? 0), Math.sqrt(beta));
    return { level, x: { ...sum([scale, x]), z: deviation }, known: at };
  });
}

/** Which steps are taken, and the places of the levels where they end, the jump after them included. */
function walk(steps: number, { resamples, jumpLength }: RepaintOptions): { step: number; arrival: number }[] {
  // By the level's place from the last noisy one on, as the paper counts.
  const jumps = Array.from({ length: steps }, (_, t) => {
    return t % jumpLength === 0 && t + jumpLength < steps ? resamples - 1 : 0;
  });
  const taken: { step: number; arrival: number }[] = [];
  for (let t = steps - 1; t >= 0;) {
    const from = t--;
    if (t >= 0 && jumps[t] > 0) {
      jumps[t]--;
      t += jumpLength;
    }
    taken.push({ step: steps - 1 - from, arrival: steps - 1 - t });
  }
  return taken;
}
