import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { dots, norms, randomVectors } from "./pairwise.ts";

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
 * @param a feature vectors [m, size]
 * @param b feature vectors [n, size]
 */
export async function kernelDistance(
  backend: Backend,
  a: NdArray,
  b: NdArray,
  options: KernelDistanceOptions = {},
): Promise<KernelDistance> {
  const { subsets = 100, seed = 0 } = options;
  const subsetSize = Math.min(options.subsetSize ?? 1000, a.shape[0], b.shape[0]);
  if (!(subsetSize >= 2)) throw new Error(`KID needs at least 2 images on both sides, got ${subsetSize}`);
  const program = compile(backend, (x, y) => ({
    outputs: { xx: sumOverOthers(x), yy: sumOverOthers(y), xy: kernel(dots(x, y), x).sum(1) },
  }));
  const estimates: number[] = [];
  for (let subset = 0; subset < subsets; subset++) {
    const [x, y] = [a, b].map((vectors, side) => randomVectors(vectors, subsetSize, seed, 2 * subset + side));
    const { xx, yy, xy } = await program(x, y);
    const within = (total(xx) + total(yy)) / (subsetSize * (subsetSize - 1));
    estimates.push(within - (2 * total(xy)) / subsetSize ** 2);
  }
  program.dispose();
  const mean = estimates.reduce((sum, value) => sum + value, 0) / subsets;
  const variance = estimates.reduce((sum, value) => sum + (value - mean) ** 2, 0) / subsets;
  return { mean, std: Math.sqrt(variance) };
}

function kernel(products: Tensor, { shape: [, size] }: Tensor): Tensor {
  const base = products.multiply(1 / size).add(1);
  return base.square().multiply(base);
}

/** For each vector the sum of the kernel with every other vector of its set. */
function sumOverOthers(x: Tensor): Tensor {
  return kernel(dots(x, x), x)
    .sum(1)
    .subtract(kernel(norms(x), x).reshape([-1]));
}

/** In float64: what is left of sums that nearly cancel should not be their rounding. */
function total({ data }: NdArray): number {
  return (data as Float32Array).reduce((sum, value) => sum + value, 0);
}
