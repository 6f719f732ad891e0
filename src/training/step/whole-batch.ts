import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { DataLoader, LoaderState } from "../../data/loader.ts";

/**
 * Where a loader goes on from the state of one with another batch size: at its own next whole batch, in the next epoch
 * where the rest of this one fills none. A state of its own batch size stays.
 */
export function wholeBatchFrom(state: LoaderState, { batchSize, batchesPerEpoch }: DataLoader): LoaderState {
  const batch = Math.ceil(state.position / batchSize);
  if (batch < batchesPerEpoch) return { ...state, position: batch * batchSize };
  return { ...state, epoch: state.epoch + 1, position: 0 };
}

/**
 * What is not as it was at a checkpoint, one line each.
 *
 * @param goesOnAt where the loader goes on
 */
export function changesSince(
  { position, config }: Pick<Checkpoint, "position" | "config">,
  { dataset, batchSize }: DataLoader,
  goesOnAt: LoaderState,
): string[] {
  const [before, { name, length }] = [config.training.batchSize, dataset];
  const lines: string[] = [];
  if (batchSize !== before) {
    const place = `the next one begins at image ${goesOnAt.position}`;
    lines.push(`batches of ${batchSize} images, of ${before} at the checkpoint: ${place}`);
  }
  if (length !== position.length) {
    lines.push(`${name} has ${length} images, ${position.length} at the checkpoint: the next epoch begins`);
  }
  return lines;
}
