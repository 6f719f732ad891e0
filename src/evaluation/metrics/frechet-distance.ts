import type { NdArray } from "../../tensor/ndarray.ts";
import { congruence, semidefiniteFactor, symmetricEigenvalues, trace } from "./symmetric-matrix.ts";
import type { SquareMatrix } from "./symmetric-matrix.ts";

/** A normal distribution in as many dimensions as there are features. */
export interface Gaussian {
  readonly mean: Float64Array;
  readonly covariance: SquareMatrix;
}

/**
 * The mean and the unbiased covariance (divided by n - 1, as numpy.cov) of feature vectors, in float64.
 *
 * @param features [n, size] with n of at least 2
 */
export function fitGaussian({ data, shape: [count, size] }: NdArray): Gaussian {
  if (!(count >= 2)) throw new Error(`a covariance needs at least 2 images, got ${count}`);
  const mean = new Float64Array(size);
  for (let i = 0; i < data.length; i++) mean[i % size] += data[i] / count;
  const sums = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < size; i++) centred[i] = data[row * size + i] - mean[i];
    for (let i = 0; i < size; i++) {
      const value = centred[i];
      for (let j = i; j < size; j++) sums[i * size + j] += value * centred[j];
    }
  }
  for (let i = 0; i < size; i++) {
    for (let j = i; j < size; j++) sums[j * size + i] = sums[i * size + j] /= count - 1;
  }
  return { mean, covariance: { size, data: sums } };
}

/**
 * The squared Wasserstein-2 distance of two normal distributions, |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)). Between
 * the features of images it is the Fréchet Inception Distance, FID (Heusel et al. 2017, 1706.08500, equation 6).
 *
 * With S1 = L L^T, S1 S2 has the eigenvalues of L^T S2 L, which is symmetric: no square root of a matrix is taken, and
 * singular covariances, of fewer images than features, need no offset on their diagonals.
 */
export function frechetDistance(a: Gaussian, b: Gaussian): number {
  const size = a.mean.length;
  if (b.mean.length !== size) throw new Error(`frechetDistance: ${size} and ${b.mean.length} features do not compare`);
  const means = a.mean.reduce((sum, value, i) => sum + (value - b.mean[i]) ** 2, 0);
  const eigenvalues = symmetricEigenvalues(congruence(semidefiniteFactor(a.covariance), b.covariance));
  const root = eigenvalues.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  // Rounding may leave it just below 0 where both are the same.
  return Math.max(0, means + trace(a.covariance) + trace(b.covariance) - 2 * root);
}
