/** One of several processes that share work evenly. */
export interface Shard {
  /** From 0. */
  readonly rank: number;
  readonly size: number;
}

/** Of `count` things the share of one process: from which one on, and up to which one. Shares differ by one at most. */
export function shareOf(count: number, { rank, size }: Shard): [from: number, to: number] {
  return [Math.floor((rank * count) / size), Math.floor(((rank + 1) * count) / size)];
}
