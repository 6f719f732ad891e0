/** Dispatches that are submitted together: from the first up to the end, which is not one of them. */
export interface Chunk {
  readonly first: number;
  readonly end: number;
  /** By the model of time. */
  readonly seconds: number;
}

/** Cuts a program into runs of dispatches that take at most so long together; what takes longer alone is one. */
export function chunksOf(seconds: readonly number[], most: number): Chunk[] {
  const chunks: Chunk[] = [];
  let [first, sum] = [0, 0];
  seconds.forEach((own, i) => {
    if (i > first && sum + own > most) {
      chunks.push({ first, end: i, seconds: sum });
      [first, sum] = [i, 0];
    }
    sum += own;
  });
  // A program of no dispatches still hands its results over.
  return [...chunks, { first, end: seconds.length, seconds: sum }];
}
