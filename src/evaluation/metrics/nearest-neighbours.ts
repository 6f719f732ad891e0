import type { NdArray } from "../../tensor/ndarray.ts";
import type { Distances } from "./pairwise.ts";

export interface NearestNeighbours {
  /** For each query the index of the vector nearest to it. */
  readonly indices: Uint32Array;
  /** The root mean square difference to it over all numbers of a vector. */
  readonly distances: Float64Array;
}

/** Some vectors of a larger set, the first of which is number `start` there. */
export interface VectorBlock {
  readonly start: number;
  readonly vectors: NdArray;
}

/**
 * For each query the nearest vector out of many, which come in blocks.
 *
 * @param queries [n, size]
 * @param blocks each [any number, size]
 * @param own for each query a vector that does not count, such as itself
 */
export async function nearestNeighbours(
  distances: Distances,
  queries: NdArray,
  blocks: Iterable<VectorBlock> | AsyncIterable<VectorBlock>,
  own?: Uint32Array,
): Promise<NearestNeighbours> {
  const [count, size] = queries.shape;
  const indices = new Uint32Array(count);
  const nearest = new Float64Array(count).fill(Infinity);
  for await (const { start, vectors } of blocks) {
    for await (const tile of distances(queries, vectors)) {
      for (let row = 0; row < tile.rows; row++) {
        const query = tile.firstRow + row;
        const first = start + tile.firstColumn;
        for (let column = 0; column < tile.columns; column++) {
          const distance = tile.distances[row * tile.columns + column];
          if (distance < nearest[query] && first + column !== own?.[query]) {
            nearest[query] = distance;
            indices[query] = first + column;
          }
        }
      }
    }
  }
  return { indices, distances: nearest.map((squared) => Math.sqrt(squared / size)) };
}
