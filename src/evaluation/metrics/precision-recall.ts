import type { NdArray } from "../../tensor/ndarray.ts";
import type { Distances } from "./pairwise.ts";

export interface PrecisionRecall {
  /** The share of samples that lie among real images: fidelity, from 0 to 1. */
  readonly precision: number;
  /** The share of real images that lie among samples: diversity, from 0 to 1. */
  readonly recall: number;
}

/**
 * Improved precision and recall (Kynkäänniemi et al. 2019, 1904.06991, algorithm 1): a vector lies among a set if it is
 * no further from one of its vectors than that one is from its k-th nearest in the set. The authors take as many real
 * images as samples.
 *
 * @param real feature vectors [m, size]
 * @param samples feature vectors [n, size]
 */
export async function precisionRecall(
  distances: Distances,
  real: NdArray,
  samples: NdArray,
  k = 3,
): Promise<PrecisionRecall> {
  for (const { shape } of [real, samples]) {
    if (shape[0] <= k)
      throw new Error(`precision and recall need more than ${k} images on both sides, got ${shape[0]}`);
  }
  const realRadii = await neighbourRadii(distances, real, k);
  const sampleRadii = await neighbourRadii(distances, samples, k);
  const sampleIsCovered = new Uint8Array(samples.shape[0]);
  const realIsCovered = new Uint8Array(real.shape[0]);
  for await (const tile of distances(samples, real)) {
    const { firstRow, firstColumn, columns } = tile;
    for (const [at, distance] of tile.distances.entries()) {
      const sample = firstRow + Math.floor(at / columns);
      const image = firstColumn + (at % columns);
      if (distance <= realRadii[image]) sampleIsCovered[sample] = 1;
      if (distance <= sampleRadii[sample]) realIsCovered[image] = 1;
    }
  }
  return { precision: mean(sampleIsCovered), recall: mean(realIsCovered) };
}

/** The squared distance of each vector to its k-th nearest other one. */
async function neighbourRadii(distances: Distances, vectors: NdArray, k: number): Promise<Float64Array> {
  const [count] = vectors.shape;
  /** The k least so far of each vector, in rising order. */
  const least = new Float64Array(count * k).fill(Infinity);
  for await (const { firstRow, firstColumn, rows, columns, distances: squared } of distances(vectors, vectors)) {
    for (let row = 0; row < rows; row++) {
      const list = least.subarray((firstRow + row) * k, (firstRow + row + 1) * k);
      for (let column = 0; column < columns; column++) {
        const distance = squared[row * columns + column];
        if (distance < list[k - 1] && firstRow + row !== firstColumn + column) insert(list, distance);
      }
    }
  }
  return Float64Array.from({ length: count }, (_, i) => least[i * k + k - 1]);
}

/** Puts a value into a list in rising order; the largest one falls out. */
function insert(list: Float64Array, value: number): void {
  let at = list.length - 1;
  for (; at > 0 && list[at - 1] > value; at--) list[at] = list[at - 1];
  list[at] = value;
}

function mean(flags: Uint8Array): number {
  return flags.reduce((sum, flag) => sum + flag, 0) / flags.length;
}
