import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { centred, dots, meanVector, randomVectors } from "./pairwise.ts";
import { checkOptions } from "../../config/rules.ts";

export interface KernelDistanceOptions {
  /** Pairs of random subsets that are compared; default 100. */
  readonly subsets?: number;
  /** Images of a subset, at most as many as there are; default 1000. */
  readonly subsetSize?: number;
  /** Which subsets; default 0. */
  readonly seed?: number;
}

export interface KernelDistance {
  /** Mean over the subsets. It is unbiased, so it may come out below 0 where both sets are alike. */
  readonly mean: number;
  /** Standard deviation over the subsets. */
  readonly std: number;
}

/**
 * The Kernel Inception Distance (Bińkowski et al. 2018, 1801.01401): the unbiased estimate of the squared maximum mean
 * discrepancy (equation 4) with the kernel k(x, y) = (x . y / size + 1)^3, over random subsets of both sets.
 *
 * The kernel is not the same everywhere, as distances are, but x . y = c . c + c . (x - c) + c . (y - c) + (x - c) . (y - c)
 * for any centre c: float32 multiplies the small differences alone, and all sums are in float64.
 *
 * @param a feature vectors [m, size]
 * @param b feature vectors [n, size]
 */
export async function kernelDistance(
  backend: Backend,
  a: NdArray,
  b: NdArray,
  options: KernelDistanceOptions = {},
): Promise<KernelDistance> {
  checkOptions("kernelDistance", options, { subsets: "number", subsetSize: "number", seed: "number" });
  const { subsets = 100, seed = 0 } = options;
  const subsetSize = Math.min(options.subsetSize ?? 1000, a.shape[0], b.shape[0]);
  if (!(subsetSize >= 2)) throw new Error(`KID needs at least 2 images on both sides, got ${subsetSize}`);
  const size = a.shape[1];
  const centre = middle(meanVector(a), meanVector(b));
  const atCentre = dot(centre, centre) / size + 1;
  const program = compile(backend, ({ x, y }) => ({ outputs: { products: dots(x, y) } }));
  /** The kernel of some centred vectors with others, summed over all pairs, but those of a vector with itself. */
  const sum = async (x: NdArray, y: NdArray): Promise<number> => {
    const { products } = await program({ x, y });
    const [ofX, ofY] = [x, y].map((vectors) => projections(vectors, centre));
    let total = 0;
    for (let row = 0; row < subsetSize; row++) {
      for (let column = 0; column < subsetSize; column++) {
        if (x === y && row === column) continue;
        const product = ofX[row] + ofY[column] + products.data[row * subsetSize + column];
        total += lessAtCentre(product / size, atCentre);
      }
    }
    return total;
  };
  const estimates: number[] = [];
  for (let subset = 0; subset < subsets; subset++) {
    const [x, y] = [a, b].map((vectors, side) =>
      centred(randomVectors(vectors, subsetSize, seed, 2 * subset + side), centre),
    );
    const within = ((await sum(x, x)) + (await sum(y, y))) / (subsetSize * (subsetSize - 1));
    estimates.push(within - (2 * (await sum(x, y))) / subsetSize ** 2);
  }
  program.dispose();
  const mean = estimates.reduce((sum, value) => sum + value, 0) / subsets;
  const variance = estimates.reduce((sum, value) => sum + (value - mean) ** 2, 0) / subsets;
  return { mean, std: Math.sqrt(variance) };
}

/**
 * (u + k)^3 - k^3, the kernel less its value between the centre and itself. That counts as much within the sets as
 * between them, and would take the digits of what is left.
 */
function lessAtCentre(u: number, k: number): number {
  return u * (3 * k * k + u * (3 * k + u));
}

function middle(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => (value + b[i]) / 2);
}

/** The inner product of each centred vector with the centre. */
function projections({ data, shape: [count, size] }: NdArray, centre: Float64Array): Float64Array {
  return Float64Array.from({ length: count }, (_, row) => {
    let product = 0;
    for (let i = 0; i < size; i++) product += data[row * size + i] * centre[i];
    return product;
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
