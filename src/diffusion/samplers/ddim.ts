import { literal } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { DiffusionProcess } from "../process.ts";
import type { Sampler } from "./sampler.ts";

export interface DdimOptions {
  /** Evaluations of the network, from 1 to the number of timesteps. */
  readonly steps: number;
  /** Share of the noise of ancestral sampling, from 0 (none: the images follow from x_T) to 1; default 0. */
  readonly eta?: number;
}

/**
 * Denoising diffusion implicit models, equation 12 of Song et al. (2021, 2010.02502). From timestep t to the next one
 * s that is visited:
 *
 *     x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - sigma^2) epsilon + sigma z
 *     sigma = eta sqrt((1 - abar_s) / (1 - abar_t)) sqrt(1 - abar_t / abar_s)
 *
 * with the predicted x_0 and epsilon. After the last step abar_s is 1, and x is the predicted x_0. With eta = 1 and
 * all timesteps this is {@link ddpmSampler}.
 */
export function ddimSampler(process: DiffusionProcess, { steps, eta = 0 }: DdimOptions): Sampler {
  if (!Number.isSafeInteger(steps) || steps < 1 || steps > process.timesteps) {
    throw new Error(`ddim: steps must be a whole number from 1 to ${process.timesteps}, got ${steps}`);
  }
  if (!(eta >= 0 && eta <= 1)) throw new Error(`ddim: eta must be from 0 to 1, got ${eta}`);
  const timesteps = spacedTimesteps(process.timesteps, steps);
  const abar = timesteps.map((t) => process.schedule.alphasCumprod[t]);
  const abarNext = abar.map((_, i) => abar[i + 1] ?? 1);
  const sigma = abar.map((a, i) => eta * Math.sqrt((1 - abarNext[i]) / (1 - a)) * Math.sqrt(1 - a / abarNext[i]));
  const towardsNoise = abarNext.map((a, i) => Math.sqrt(Math.max(0, 1 - a - sigma[i] ** 2)));

  // Over the steps rather than the timesteps, and in float64: 1 - abar cancels where there is little noise.
  const tables = [abarNext.map(Math.sqrt), towardsNoise, sigma].map(table);
  return {
    name: `ddim, ${steps} steps, eta ${eta}`,
    timesteps,
    step({ x, t, index, noise: z, predict }) {
      const { noise, xStart } = predict(x, t);
      const [ofStart, ofNoise, ofFresh] = tables.map((values) => values.gather(index));
      const next = xStart.multiply(ofStart).add(noise.multiply(ofNoise));
      return { x: eta === 0 ? next : next.add(z.multiply(ofFresh)), xStart };
    },
  };
}

/** `steps` timesteps at equal distances down from T - 1; the distance also lies below the last. */
function spacedTimesteps(timesteps: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => Math.floor(((steps - i) * timesteps) / steps) - 1);
}

function table(values: readonly number[]): Tensor {
  return literal({ shape: [values.length], dtype: "f32", data: Float32Array.from(values) });
}
