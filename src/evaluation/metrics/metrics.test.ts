import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { fitGaussian, frechetDistance } from "./frechet-distance.ts";
import type { Gaussian } from "./frechet-distance.ts";
import { kernelDistance } from "./kernel-distance.ts";
import { nearestNeighbours } from "./nearest-neighbours.ts";
import { distancesOn, vectors } from "./pairwise.ts";
import { precisionRecall } from "./precision-recall.ts";

interface Stored {
  readonly shape: [number, number];
  readonly values: readonly number[];
}

/** Values by test/fixtures/evaluation/generate.py. */
const stored = JSON.parse(
  await readFile(new URL("../../../test/fixtures/evaluation/metrics.json", import.meta.url), "utf8"),
) as {
  real: Stored;
  fake: Stored;
  frechet: number;
  frechetOfFew: number;
  kernelDistance: number;
  precision: number;
  recall: number;
  nearest: { indices: number[]; distances: number[] };
};
const arrayOf = ({ values, shape }: Stored): NdArray => ndarray(values, shape);
const [real, fake] = [arrayOf(stored.real), arrayOf(stored.fake)];
const backend = ReferenceBackend.create();
const { distances } = distancesOn(backend);

function gaussian(mean: readonly number[], covariance: readonly number[]): Gaussian {
  return {
    mean: Float64Array.from(mean),
    covariance: { size: mean.length, data: Float64Array.from(covariance) },
  };
}

test("the Fréchet distance is SciPy's", () => {
  // The values reach us as float32.
  expect(frechetDistance(fitGaussian(real), fitGaussian(fake))).toBeCloseTo(stored.frechet, 6);
  expect(frechetDistance(fitGaussian(fake), fitGaussian(real))).toBeCloseTo(stored.frechet, 6);
});

test("the Fréchet distance works with fewer images than features", () => {
  expect(frechetDistance(fitGaussian(vectors(fake, 0, 4)), fitGaussian(real))).toBeCloseTo(stored.frechetOfFew, 5);
});

test("the Fréchet distance of independent numbers adds up (m1 - m2)^2 + (s1 - s2)^2", () => {
  const a = gaussian([1, 0, -2], [4, 0, 0, 0, 9, 0, 0, 0, 0]);
  const b = gaussian([0, 0, 2], [1, 0, 0, 0, 16, 0, 0, 0, 25]);
  expect(frechetDistance(a, b)).toBeCloseTo(1 + 16 + (1 + 1 + 25), 12);
});

test("the Fréchet distance of covariances that commute compares their roots' eigenvalues", () => {
  // Both have the eigenvectors (1, 1) and (1, -1): eigenvalues 9 and 1 beside 4 and 16.
  const a = gaussian([0, 0], [5, 4, 4, 5]);
  const b = gaussian([0, 0], [10, -6, -6, 10]);
  expect(frechetDistance(a, b)).toBeCloseTo((3 - 2) ** 2 + (1 - 4) ** 2, 12);
});

test("the Fréchet distance of a set to itself is 0", () => {
  const own = fitGaussian(real);
  expect(frechetDistance(own, own)).toBeLessThan(1e-6);
});

test("a covariance needs two images", () => {
  expect(() => fitGaussian(vectors(real, 0, 1))).toThrow("a covariance needs at least 2 images, got 1");
});

test("KID is the unbiased estimate with scikit-learn's polynomial kernel", async () => {
  const { mean, std } = await kernelDistance(backend, vectors(real, 0, 50), fake, { subsets: 2 });
  expect(mean).toBeCloseTo(stored.kernelDistance, 4);
  // Both subsets are the whole sets.
  expect(std).toBeLessThan(1e-5);
});

test("KID over subsets has the same mean, within its error, and a spread", async () => {
  const options = { subsets: 400, subsetSize: 20 };
  const { mean, std } = await kernelDistance(backend, vectors(real, 0, 50), fake, options);
  expect(std).toBeGreaterThan(0.01);
  expect(Math.abs(mean - stored.kernelDistance)).toBeLessThan((4 * std) / Math.sqrt(400));
  const other = await kernelDistance(backend, vectors(real, 0, 50), fake, { ...options, seed: 1 });
  expect(other.mean).not.toBe(mean);
});

test("precision and recall are those of scikit-learn's neighbours", async () => {
  const { precision, recall } = await precisionRecall(distances, real, fake);
  expect(precision).toBe(stored.precision);
  expect(recall).toBe(stored.recall);
  await expect(precisionRecall(distances, real, vectors(fake, 0, 3))).rejects.toThrow(
    "precision and recall need more than 3 images on both sides, got 3",
  );
});

test("nearest neighbours are scikit-learn's, whatever the blocks", async () => {
  const blocks = [0, 25, 50].map((start) => ({ start, vectors: vectors(real, start, Math.min(start + 25, 60)) }));
  const found = await nearestNeighbours(distances, fake, blocks);
  expect(Array.from(found.indices)).toEqual(stored.nearest.indices);
  found.distances.forEach((distance, i) => expect(distance).toBeCloseTo(stored.nearest.distances[i], 4));
});

test("a vector's own place does not count as its neighbour", async () => {
  const own = Uint32Array.from({ length: 60 }, (_, i) => i);
  const blocks = [{ start: 0, vectors: real }];
  expect((await nearestNeighbours(distances, real, blocks)).indices).toEqual(own);
  const { indices } = await nearestNeighbours(distances, real, blocks, own);
  for (const [i, index] of indices.entries()) expect(index).not.toBe(i);
});

test("tiles cover all pairs of sets that are larger than one", async () => {
  const random = new Random(3);
  const [a, b] = [random.array([1100, 2]), random.array([4200, 2])];
  let seen = 0;
  for await (const { firstRow, firstColumn, rows, columns, distances: squared } of distances(a, b)) {
    seen += rows * columns;
    for (const at of [0, columns - 1, rows * columns - 1]) {
      const [row, column] = [firstRow + Math.floor(at / columns), firstColumn + (at % columns)];
      const expected = [0, 1].reduce((sum, k) => sum + (a.data[2 * row + k] - b.data[2 * column + k]) ** 2, 0);
      expect(squared[at]).toBeCloseTo(expected, 4);
    }
  }
  expect(seen).toBe(1100 * 4200);
});

describe.each([
  ["offset 100 and deviation 0.1", 100, 0.1],
  ["offset -3000 and deviation 1", -3000, 1],
  ["no offset and deviation 1e-4", 0, 1e-4],
])("features with %s", (_, offset, deviation) => {
  const random = new Random(8);
  // Enough for the digits of |a|^2 to matter, and samples that are a little off.
  const features = (shift: number) => {
    const { data } = random.array([80, 16]);
    const values = data.map((value) => offset + deviation * (value + shift));
    return ndarray(values, [80, 16]);
  };
  const [real, fake] = [features(0), features(0.3)];
  const row = ({ data }: NdArray, i: number) => Array.from(data.subarray(16 * i, 16 * (i + 1)));
  const rows = (vectors: NdArray) => Array.from({ length: 80 }, (_, i) => row(vectors, i));
  const squared = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, k) => sum + (x - b[k]) ** 2, 0);

  test("have the precision and recall that float64 finds", async () => {
    const radii = (set: readonly number[][]) =>
      set.map((a) => set.map((b) => squared(a, b)).toSorted((x, y) => x - y)[3]);
    const covered = (points: readonly number[][], set: readonly number[][]) => {
      const within = radii(set);
      return points.filter((a) => set.some((b, i) => squared(a, b) <= within[i])).length / points.length;
    };
    const { precision, recall } = await precisionRecall(distances, real, fake);
    expect(precision).toBe(covered(rows(fake), rows(real)));
    expect(recall).toBe(covered(rows(real), rows(fake)));
    expect(precision).toBeGreaterThan(0.1);
    expect(precision).toBeLessThan(0.99);
  });

  test("have the nearest neighbours that float64 finds", async () => {
    const { indices } = await nearestNeighbours(distances, fake, [{ start: 0, vectors: real }]);
    const expected = rows(fake).map((a) => {
      const all = rows(real).map((b) => squared(a, b));
      return all.indexOf(Math.min(...all));
    });
    expect(Array.from(indices)).toEqual(expected);
  });

  test("have the KID that exact arithmetic finds", async () => {
    // In whole multiples of 2^-60, so that nothing is lost between terms of 10^20.
    const exact = (vectors: NdArray) => rows(vectors).map((a) => a.map((x) => BigInt(x * 2 ** 60)));
    const kernel = (a: readonly bigint[], b: readonly bigint[]) =>
      (a.reduce((sum, x, k) => sum + x * b[k], 0n) + 16n * 2n ** 120n) ** 3n;
    const total = (a: readonly bigint[][], b: readonly bigint[][]) =>
      a.reduce((sum, x, i) => b.reduce((sum, y, j) => (a === b && i === j ? sum : sum + kernel(x, y)), sum), 0n);
    const [x, y] = [exact(real), exact(fake)];
    // Mean within both less twice the mean between, over 79 * 80 * 80.
    const difference = 80n * (total(x, x) + total(y, y)) - 2n * 79n * total(x, y);
    const expected = Number(difference / 2n ** 320n) / 2 ** 40 / 16 ** 3 / (79 * 80 * 80);
    const { mean } = await kernelDistance(backend, real, fake, { subsets: 1 });
    expect(Math.abs(mean / expected - 1)).toBeLessThan(1e-4);
  });
});
