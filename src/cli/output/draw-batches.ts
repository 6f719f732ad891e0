import type { Diffusion } from "../../diffusion/diffusion.ts";
import type { SampleOptions } from "../../diffusion/sampling/sample.ts";
import type { Samples } from "../../diffusion/sampling/sampling.ts";
import { alone } from "../../training/collective/collective.ts";
import type { Collective } from "../../training/collective/collective.ts";
import { gatherNumbers } from "../ranks/gather-numbers.ts";
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
 * Draws the images of a seed from number 0 on, up to {@link BATCH} at a time: image k follows from the seed and k alone.
 * Several processes draw a batch each at the same time; the first one of them gets all images, the others none. They end
 * together, after the batches during which `signal` was aborted in one of them.
 *
 * @throws Error of one line if an option does not fit the model; in a single process, the reason of `signal`
 */
export async function* drawBatches(
  diffusion: Diffusion,
  model: Denoiser,
  { number, classes, onStep, signal, ...options }: DrawOptions,
  ranks: Collective = alone,
): AsyncGenerator<Samples> {
  const most = batchOf(number, ranks);
  let done = 0;
  for (let first = 0; first < number; first += most * ranks.size) {
    if (ranks.size > 1 && (await isAskedToStop(ranks, signal))) return;
    const before = done;
    const firstIndex = first + ranks.rank * most;
    const batchSize = Math.min(most, number - firstIndex);
    const draw = () =>
      diffusion.sample(model, {
        ...options,
        // Who stopped in the middle of a batch would leave the others waiting.
        signal: ranks.size > 1 ? undefined : signal,
        batchSize,
        firstIndex,
        ...(classes && { classes: classes.slice(firstIndex, firstIndex + batchSize) }),
        onStep: ({ step }) => {
          done = before + step;
          onStep?.(done);
        },
      });
    const own = batchSize > 0 ? await draw() : undefined;
    if (ranks.size > 1) yield* gatheredAtFirst(ranks, own);
    else if (own) yield own;
  }
}

/** Whether one of several processes is asked to; all say the same. */
async function isAskedToStop(ranks: Collective, signal: AbortSignal | undefined): Promise<boolean> {
  const asked = Float64Array.of(signal?.aborted === true ? 1 : 0);
  await ranks.allReduce(asked);
  return asked[0] > 0;
}

/** Images that one process draws at a time. */
function batchOf(number: number, { size }: Collective): number {
  return Math.min(BATCH, Math.ceil(number / size));
}

/** How often a process draws a batch. */
export function roundsOf(number: number, ranks: Collective = alone): number {
  return Math.ceil(number / (batchOf(number, ranks) * ranks.size));
}

/** The batches of all processes at the first one, whose own is never empty and not smaller than the others. */
async function* gatheredAtFirst(ranks: Collective, own: Samples | undefined): AsyncGenerator<Samples> {
  const arrays = own ? [own, ...own.steps.map(({ images }) => images)] : [];
  const flat = new Float32Array(arrays.reduce((sum, { data }) => sum + data.length, 0));
  let end = 0;
  for (const { data } of arrays) {
    flat.set(data, end);
    end += data.length;
  }
  const all = await gatherNumbers(ranks, flat);
  if (ranks.rank !== 0 || own === undefined) return;
  const [count, ...image] = own.shape;
  for (const values of all) {
    const length = values.length / arrays.length;
    const shape = [(count * length) / own.data.length, ...image];
    const arrayAt = (i: number) => ({ dtype: own.dtype, shape, data: values.slice(i * length, (i + 1) * length) });
    if (length > 0) yield { ...arrayAt(0), steps: own.steps.map((step, i) => ({ ...step, images: arrayAt(i + 1) })) };
  }
}
