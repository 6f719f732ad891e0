import type { Diffusion } from "../../diffusion/diffusion.ts";
import type { SampleOptions } from "../../diffusion/sampling/sample.ts";
import type { Samples } from "../../diffusion/sampling/sampling.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";

/** Images that are drawn at a time; more would only take more memory. */
export const BATCH = 64;

export interface DrawOptions extends Omit<SampleOptions, "batchSize" | "firstIndex" | "onStep"> {
  readonly number: number;
  readonly seed: number;
  /** A class for each image. */
  readonly classes?: readonly number[] | undefined;
  /** Is told how many steps are done, each on a batch. */
  readonly onStep?: ((done: number) => void) | undefined;
}

/**
 * Draws the images of a seed from number 0 on, {@link BATCH} at a time: image k follows from the seed and k alone.
 *
 * @throws Error of one line if an option does not fit the model; the reason of `signal`
 */
export async function* drawBatches(
  diffusion: Diffusion,
  model: Denoiser,
  { number, classes, onStep, ...options }: DrawOptions,
): AsyncGenerator<Samples> {
  let done = 0;
  for (let firstIndex = 0; firstIndex < number; firstIndex += BATCH) {
    const before = done;
    const batchSize = Math.min(BATCH, number - firstIndex);
    yield await diffusion.sample(model, {
      ...options,
      batchSize,
      firstIndex,
      ...(classes && { classes: classes.slice(firstIndex, firstIndex + batchSize) }),
      onStep: ({ step }) => {
        done = before + step;
        onStep?.(done);
      },
    });
  }
}
