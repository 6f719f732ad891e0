import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { congruence, semidefiniteFactor, symmetricEigenvalues, trace } from "./symmetric-matrix.ts";
import type { SquareMatrix } from "./symmetric-matrix.ts";

function matrix(size: number, at: (row: number, column: number) => number): SquareMatrix {
  return { size, data: Float64Array.from({ length: size * size }, (_, i) => at(Math.floor(i / size), i % size)) };
}

const sortedEigenvalues = (m: SquareMatrix): number[] => Array.from(symmetricEigenvalues(m)).toSorted((a, b) => a - b);

function expectClose(values: readonly number[], expected: readonly number[], digits = 12): void {
  expect(values).toHaveLength(expected.length);
  values.forEach((value, i) => expect(value).toBeCloseTo(expected[i], digits));
}

test("eigenvalues are NumPy's", async () => {
  const text = await readFile(new URL("../../../test/fixtures/evaluation/metrics.json", import.meta.url), "utf8");
  const { symmetric, eigenvalues } = JSON.parse(text) as { symmetric: { values: number[] }; eigenvalues: number[] };
  expectClose(sortedEigenvalues({ size: 6, data: Float64Array.from(symmetric.values) }), eigenvalues);
});

test("eigenvalues of the second difference of 60 points are 2 - 2 cos(k pi / 61)", () => {
  const second = matrix(60, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0));
  const expected = Array.from({ length: 60 }, (_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / 61));
  expectClose(sortedEigenvalues(second), expected);
});

test("eigenvalues of 1 / (1 + |i - j|) in a full matrix add up to its trace, their squares to the sum of its squares", () => {
  const full = matrix(40, (i, j) => 1 / (1 + Math.abs(i - j)));
  const values = sortedEigenvalues(full);
  expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace(full), 10);
  const squares = full.data.reduce((sum, value) => sum + value * value, 0);
  expect(values.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(squares, 10);
});

test("equal, zero and single eigenvalues come out exactly", () => {
  expect(sortedEigenvalues(matrix(5, (i, j) => (i === j ? 3 : 0)))).toEqual([3, 3, 3, 3, 3]);
  expect(sortedEigenvalues(matrix(3, () => 0))).toEqual([0, 0, 0]);
  expect(sortedEigenvalues(matrix(1, () => -2))).toEqual([-2]);
  // All ones: the size once, otherwise 0.
  expectClose(sortedEigenvalues(matrix(4, () => 1)), [0, 0, 0, 4]);
  expect(symmetricEigenvalues(matrix(0, () => 0))).toHaveLength(0);
});

test("the factor of a singular matrix has as many columns as its rank, and gives it back", () => {
  // x x^T + y y^T with x = (1, 2, 3, 4) and y = (1, 0, -1, 0).
  const singular = matrix(4, (i, j) => (i + 1) * (j + 1) + [1, 0, -1, 0][i] * [1, 0, -1, 0][j]);
  const columns = semidefiniteFactor(singular);
  expect(columns).toHaveLength(2);
  const back = matrix(4, (i, j) => columns.reduce((sum, column) => sum + column[i] * column[j], 0));
  expectClose(Array.from(back.data), Array.from(singular.data), 13);
  expect(semidefiniteFactor(matrix(3, () => 0))).toEqual([]);
});

test("a congruence is C^T M C", () => {
  const m = matrix(2, (i, j) => [2, 1, 1, 3][i * 2 + j]);
  const columns = [Float64Array.of(1, 1), Float64Array.of(0, 2)];
  // By hand: (1,1) M (1,1) = 7, (1,1) M (0,2) = 8, (0,2) M (0,2) = 12.
  expect(congruence(columns, m)).toEqual({ size: 2, data: Float64Array.of(7, 8, 8, 12) });
});
