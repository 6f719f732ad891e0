import type { Shard } from "../../data/shard.ts";

/**
 * The processes that train one model together, and what they need of an engine such as MPI. All of them call the same
 * functions in the same order; each waits for the others.
 */
export interface Collective extends Shard {
  /**
   * Adds up the values of all ranks, in place. All get the same bits. The memory may be shared with WebAssembly.
   *
   * @param isAside whether the processors have other work meanwhile, and this need not be fast; at all ranks or at none
   */
  allReduce(values: Float32Array | Float64Array, isAside?: boolean): Promise<void>;
  /** Overwrites the bytes with those of rank 0. */
  broadcast(values: ArrayBufferView): Promise<void>;
  /** Ends all of them at once, as this one cannot go on. @param code for the processes to exit with */
  abort(code: number): void;
}

/** A single process. */
export const alone: Collective = {
  rank: 0,
  size: 1,
  allReduce: async () => {},
  broadcast: async () => {},
  abort: () => {},
};
