import type { DataLoader, LoaderState } from "../data/loader.ts";

/**
 * Where a loader goes on from the state of one with another batch size: at its own next whole batch, in the next epoch
 * where the rest of this one fills none. A state of its own batch size stays.
 */
export function wholeBatchFrom(state: LoaderState, { batchSize, batchesPerEpoch }: DataLoader): LoaderState {
  const batch = Math.ceil(state.position / batchSize);
  if (batch < batchesPerEpoch) return { ...state, position: batch * batchSize };
  return { ...state, epoch: state.epoch + 1, position: 0 };
}
