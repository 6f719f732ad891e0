/** A square matrix [size, size], row-major. */
export interface SquareMatrix {
  readonly size: number;
  readonly data: Float64Array;
}

/**
 * The eigenvalues of a symmetric matrix, in no particular order: Householder tridiagonalization (Golub & Van Loan,
 * Matrix Computations, algorithm 8.3.1), then implicit QR steps with Wilkinson's shift (8.3.3).
 */
export function symmetricEigenvalues(matrix: SquareMatrix): Float64Array {
  const { diagonal, offDiagonal } = tridiagonal(matrix);
  for (let high = matrix.size - 1; high > 0;) {
    if (isNegligible(diagonal, offDiagonal, high - 1)) {
      high--;
      continue;
    }
    let low = high - 1;
    while (low > 0 && !isNegligible(diagonal, offDiagonal, low - 1)) low--;
    implicitStep(diagonal, offDiagonal, low, high);
  }
  return diagonal;
}

/**
 * Columns c of length `size` with the sum of c c^T equal to a positive semi-definite matrix: its Cholesky factor with
 * pivoting (Higham 1990, "Analysis of the Cholesky decomposition of a semi-definite matrix"), as many as its rank.
 */
export function semidefiniteFactor({ size, data }: SquareMatrix): Float64Array[] {
  const rest = Float64Array.from({ length: size }, (_, i) => data[i * size + i]);
  const tolerance = size * Number.EPSILON * rest.reduce((most, value) => Math.max(most, value), 0);
  const columns: Float64Array[] = [];
  while (columns.length < size) {
    const pivot = rest.reduce((best, value, i) => (value > rest[best] ? i : best), 0);
    if (rest[pivot] <= tolerance) break;
    const column = data.slice(pivot * size, (pivot + 1) * size);
    for (const earlier of columns) subtractScaled(column, earlier, earlier[pivot]);
    const scale = 1 / Math.sqrt(rest[pivot]);
    for (let i = 0; i < size; i++) {
      column[i] *= scale;
      rest[i] -= column[i] * column[i];
    }
    rest[pivot] = 0;
    columns.push(column);
  }
  return columns;
}

/** C^T M C for columns C. */
export function congruence(columns: readonly Float64Array[], { size, data }: SquareMatrix): SquareMatrix {
  const rank = columns.length;
  const result = new Float64Array(rank * rank);
  const image = new Float64Array(size);
  for (let j = 0; j < rank; j++) {
    for (let row = 0; row < size; row++) image[row] = dot(data.subarray(row * size, (row + 1) * size), columns[j]);
    for (let i = 0; i <= j; i++) result[i * rank + j] = result[j * rank + i] = dot(columns[i], image);
  }
  return { size: rank, data: result };
}

export function trace({ size, data }: SquareMatrix): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += data[i * size + i];
  return sum;
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i lies between rows i and i + 1. */
  readonly offDiagonal: Float64Array;
}

/** The tridiagonal matrix with the same eigenvalues: A becomes H A H with one reflection H = I - beta v v^T per column. */
function tridiagonal({ size, data }: SquareMatrix): Tridiagonal {
  const a = data.slice();
  const offDiagonal = new Float64Array(size);
  for (let k = 0; k < size - 1; k++) {
    const v = Float64Array.from({ length: size }, (_, i) => (i > k ? a[i * size + k] : 0));
    const norm = Math.sqrt(dot(v, v));
    const image = v[k + 1] > 0 ? -norm : norm;
    offDiagonal[k] = image;
    v[k + 1] -= image;
    const length = dot(v, v);
    if (length > 0) reflect(a, size, k + 1, v, 2 / length);
  }
  return { diagonal: Float64Array.from({ length: size }, (_, i) => a[i * size + i]), offDiagonal };
}

/** A - v w^T - w v^T with w = p - (beta / 2) (p . v) v and p = beta A v, in rows and columns from `start` on. */
function reflect(a: Float64Array, size: number, start: number, v: Float64Array, beta: number): void {
  const w = new Float64Array(size);
  for (let i = start; i < size; i++) w[i] = beta * dot(a.subarray(i * size, (i + 1) * size), v);
  subtractScaled(w, v, (beta / 2) * dot(w, v));
  for (let i = start; i < size; i++) {
    const row = a.subarray(i * size, (i + 1) * size);
    const [vi, wi] = [v[i], w[i]];
    for (let j = start; j < size; j++) row[j] -= vi * w[j] + wi * v[j];
  }
}

function isNegligible(diagonal: Float64Array, offDiagonal: Float64Array, i: number): boolean {
  return Math.abs(offDiagonal[i]) <= Number.EPSILON * (Math.abs(diagonal[i]) + Math.abs(diagonal[i + 1]));
}

/** One QR step on rows `low` to `high`: a chain of rotations that chases the bulge down. */
function implicitStep(d: Float64Array, e: Float64Array, low: number, high: number): void {
  let x = d[low] - wilkinsonShift(d[high - 1], e[high - 1], d[high]);
  let z = e[low];
  for (let k = low; k < high; k++) {
    const r = Math.hypot(x, z);
    const [c, s] = r === 0 ? [1, 0] : [x / r, z / r];
    if (k > low) e[k - 1] = r;
    const [first, between, second] = [d[k], e[k], d[k + 1]];
    d[k] = c * c * first + 2 * c * s * between + s * s * second;
    d[k + 1] = s * s * first - 2 * c * s * between + c * c * second;
    e[k] = c * s * (second - first) + (c * c - s * s) * between;
    x = e[k];
    z = s * e[k + 1];
    if (k + 1 < high) e[k + 1] *= c;
  }
}

/** The eigenvalue of [[a, b], [b, c]] that is nearer to c. */
function wilkinsonShift(a: number, b: number, c: number): number {
  const half = (a - c) / 2;
  return c - (b * b) / (half + (half < 0 ? -1 : 1) * Math.hypot(half, b));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** y -= scale x */
function subtractScaled(y: Float64Array, x: Float64Array, scale: number): void {
  for (let i = 0; i < y.length; i++) y[i] -= scale * x[i];
}
