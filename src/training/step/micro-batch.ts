import type { TrainingSettings } from "../../checkpoint/training-settings.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import type { Batch, DataLoader } from "../../data/loader.ts";
import { allocate } from "../../tensor/dtype.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

/** The images of one gradient, and what its randomness follows from. */
export interface MicroBatch {
  /** f32 [batch, height, width, channels], bytes from 0 to 255 */
  readonly images: NdArray;
  /** The task's inputs by name, one row for each image; there may be others. */
  readonly inputs?: Readonly<Record<string, NdArray>> | undefined;
  /** These images are those from this one on of a larger batch, and get what is random there; 0 without. */
  readonly firstImage?: number | undefined;
  readonly seed: number;
  readonly counter: number;
  /** One of the task's; the one of its seed and counter without it. */
  readonly variant?: string | undefined;
}

/** A micro-batch of a loader's images. */
export function microBatchOf(
  { images, conditions, firstImage }: Batch,
  { height, width, channels }: ImageDataset,
  seed: number,
  counter: number,
): MicroBatch {
  const shape = [images.length / (height * width * channels), height, width, channels];
  // A copy in float: the loader's bytes and the device's next step come before this one has been uploaded.
  return { images: ndarray(Float32Array.from(images), shape), inputs: conditions, firstImage, seed, counter };
}

/**
 * The micro-batches of a step. After a failure the loader stands where the step began.
 *
 * @param step how many were taken before
 * @param drawn is called when the last one is drawn
 */
export async function* drawMicroBatches(
  loader: DataLoader,
  step: number,
  { gradientAccumulateEvery: count, seed }: Pick<TrainingSettings, "gradientAccumulateEvery" | "seed">,
  drawn: () => void,
): AsyncGenerator<MicroBatch> {
  const start = loader.state();
  for (let i = 0; i < count; i++) {
    const batch = await loader.next().catch((error: unknown) => {
      loader.restore(start);
      throw error;
    });
    const microBatch = microBatchOf(batch, loader.dataset, seed, step * count + i);
    if (i === count - 1) drawn();
    yield microBatch;
  }
}

/** A share of a micro-batch, which draws the random numbers that it would have got in the whole. */
export interface Part {
  readonly images: NdArray;
  readonly key: NdArray;
  readonly firstImage: NdArray;
  readonly inputs: Readonly<Record<string, NdArray>>;
}

/** @param parts divides the number of images */
export function partsOf({ images, inputs = {}, firstImage = 0, seed, counter }: MicroBatch, parts: number): Part[] {
  const key = ndarray(Uint32Array.of(seed, counter), [2]);
  const count = images.shape[0] / parts;
  const named = Object.entries(inputs);
  return Array.from({ length: parts }, (_, part) => ({
    images: partOf(images, part, parts),
    key,
    firstImage: ndarray(Uint32Array.of(firstImage + part * count), []),
    inputs: Object.fromEntries(named.map(([name, rows]) => [name, partOf(rows, part, parts)])),
  }));
}

function partOf({ data, dtype, shape: [batch, ...row] }: NdArray, part: number, parts: number): NdArray {
  const values = data.length / parts;
  return ndarray(data.subarray(part * values, (part + 1) * values), [batch / parts, ...row], dtype);
}

/** The rows of parts, one after the other. */
export function joinRows(parts: readonly NdArray[]): NdArray {
  const [{ shape, dtype }] = parts;
  const data = allocate(
    dtype,
    parts.reduce((sum, part) => sum + part.data.length, 0),
  );
  let end = 0;
  for (const part of parts) {
    data.set(part.data, end);
    end += part.data.length;
  }
  return ndarray(data, [parts.reduce((sum, part) => sum + part.shape[0], 0), ...shape.slice(1)], dtype);
}

/** The next number of equal parts to try, at least twice as many; undefined where there is none. */
export function moreParts(batch: number, parts: number): number | undefined {
  for (let more = 2 * parts; more <= batch; more++) if (batch % more === 0) return more;
  return undefined;
}
