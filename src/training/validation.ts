import { subsetOf } from "../data/dataset.ts";
import type { ImageDataset } from "../data/dataset.ts";
import { DataLoader } from "../data/loader.ts";
import { randomOrder } from "../data/random-order.ts";
import { shareOf } from "../data/shard.ts";
import type { Collective } from "./collective/collective.ts";
import { microBatchOf } from "./step/micro-batch.ts";
import type { TrainingProgram } from "./step/training-program.ts";

/** An epoch that no training reaches: the order of the split is none of a training's. */
const SPLIT = 2 ** 32 - 1;

/**
 * Holds a share of the images out, picked at random by the seed.
 *
 * @param share from 0 to below 1; at least one image is held out where it is above 0
 * @returns the images to train on, and those that are held out
 */
export function splitDataset(
  dataset: ImageDataset,
  share: number,
  seed: number,
): { readonly training: ImageDataset; readonly heldOut: ImageDataset | undefined } {
  if (share === 0) return { training: dataset, heldOut: undefined };
  const order = randomOrder(dataset.length, seed, SPLIT);
  const count = Math.max(1, Math.floor(dataset.length * share));
  // In the order of the dataset, so that reading them is as fast as before.
  const part = (from: number, to: number) => subsetOf(dataset, order.subarray(from, to).toSorted());
  return { training: part(count, dataset.length), heldOut: part(0, count) };
}

/**
 * The mean loss of images with the same random numbers every time, so that it can be compared from step to step.
 *
 * @param batchSize images that are looked at together
 * @param collective the processes that share the images
 */
export async function validationLoss(
  program: TrainingProgram,
  heldOut: ImageDataset,
  batchSize: number,
  seed: number,
  collective: Collective,
): Promise<number> {
  const size = Math.min(batchSize, heldOut.length);
  const loader = new DataLoader({ dataset: heldOut, batchSize: size, seed, shuffle: false, shard: collective });
  const [from, to] = shareOf(size, collective);
  const sum = new Float64Array(1);
  try {
    for (let batch = 0; batch < loader.batchesPerEpoch; batch++) {
      // Counters of steps begin at 0; these are far away.
      const microBatch = microBatchOf(await loader.next(), heldOut, seed, 2 ** 31 + batch);
      if (to > from) sum[0] += (await program.measure(microBatch)) * ((to - from) / size);
    }
  } finally {
    loader.close();
  }
  await collective.allReduce(sum);
  return sum[0] / loader.batchesPerEpoch;
}
