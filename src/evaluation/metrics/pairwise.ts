import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { randomOrder } from "../../data/random-order.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Vectors compared at a time: a tile of 16 MiB. */
const ROWS = 1024;
const COLUMNS = 4096;

/** Squared distances between some vectors of one set and some of another. */
export interface DistanceTile {
  readonly firstRow: number;
  readonly firstColumn: number;
  readonly rows: number;
  readonly columns: number;
  /** [rows, columns], row-major. */
  readonly distances: Float32Array;
}

export type Distances = (a: NdArray, b: NdArray) => AsyncGenerator<DistanceTile>;

/** Vectors `start` to `end` of [n, size], without a copy. */
export function vectors({ data, shape: [, size] }: NdArray, start: number, end: number): NdArray {
  return ndarray(data.subarray(start * size, end * size), [end - start, size]);
}

/** The mean of vectors [n, size], in float64. */
export function meanVector({ data, shape: [count, size] }: NdArray): Float64Array {
  const mean = new Float64Array(size);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < size; i++) mean[i] += data[row * size + i] / count;
  }
  return mean;
}

/** Vectors [n, size] less another: near 0, float32 keeps the digits that tell them apart. */
export function centred({ data, shape }: NdArray, centre: Float64Array): NdArray {
  const size = centre.length;
  const differences = new Float32Array(data.length);
  for (let row = 0; row < shape[0]; row++) {
    for (let i = 0; i < size; i++) differences[row * size + i] = data[row * size + i] - centre[i];
  }
  return ndarray(differences, shape);
}

/** Copies of some vectors of [n, size]. */
export function vectorsAt({ data, shape: [, size] }: NdArray, indices: Uint32Array): NdArray {
  const some = new Float32Array(indices.length * size);
  for (const [row, index] of indices.entries()) some.set(data.subarray(index * size, (index + 1) * size), row * size);
  return ndarray(some, [indices.length, size]);
}

/** Up to `length` different vectors out of [n, size], the same for the same seed and draw. */
export function randomVectors(all: NdArray, length: number, seed: number, draw = 0): NdArray {
  return vectorsAt(all, randomOrder(all.shape[0], seed, draw).subarray(0, length));
}

/**
 * Computes squared Euclidean distances between f32 vectors [m, size] and [n, size] as |a|^2 + |b|^2 - 2 a.b, tile by
 * tile. Both sets are centred at the mean of the first, for the error is that of float32 for |a|^2 + |b|^2.
 */
export function distancesOn(backend: Backend): { readonly distances: Distances; readonly dispose: () => void } {
  const program = compile(backend, ({ a, b }) => ({
    outputs: { squared: norms(a).add(norms(b).transpose()).subtract(dots(a, b).multiply(2)).maximum(0) },
  }));
  async function* distances(a: NdArray, b: NdArray): AsyncGenerator<DistanceTile> {
    const centre = meanVector(a);
    const [queries, all] = [centred(a, centre), centred(b, centre)];
    for (let row = 0; row < a.shape[0]; row += ROWS) {
      const some = vectors(queries, row, Math.min(row + ROWS, a.shape[0]));
      for (let column = 0; column < b.shape[0]; column += COLUMNS) {
        const others = vectors(all, column, Math.min(column + COLUMNS, b.shape[0]));
        const { squared } = await program({ a: some, b: others });
        const [rows, columns] = squared.shape;
        yield { firstRow: row, firstColumn: column, rows, columns, distances: Float32Array.from(squared.data) };
      }
    }
  }
  return { distances, dispose: () => program.dispose() };
}

/** [m, size] and [n, size] to their inner products [m, n]. */
export function dots(a: Tensor, b: Tensor): Tensor {
  return a.matmul(b.transpose());
}

/** |x|^2 of each vector, [n, 1]. */
export function norms(x: Tensor): Tensor {
  return x.square().sum(1, true);
}
