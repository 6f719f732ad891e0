import type { NdArray } from "../tensor/ndarray.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";

/** One comparison. It passes where the largest difference is at most the tolerance; NaN never passes. */
export interface ParityCheck {
  readonly name: string;
  readonly largestDifference: number;
  readonly tolerance: number;
  readonly pass: boolean;
  /** What was compared and how, for people. */
  readonly detail: string;
}

/** Largest absolute difference. */
export function absolute(
  name: string,
  computed: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): ParityCheck {
  return judge(name, largest(differences(name, computed, expected)), tolerance, `${expected.length} values, absolute`);
}

/** Largest difference as a share of the expected value. */
export function relative(
  name: string,
  computed: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): ParityCheck {
  const shares = differences(name, computed, expected).map((difference, i) => difference / Math.abs(expected[i]));
  return judge(name, largest(shares), tolerance, `${expected.length} values, relative`);
}

/** Largest absolute difference of images of one shape. */
export function images(name: string, computed: NdArray, expected: NdArray, tolerance: number): ParityCheck {
  requireShape(name, computed, expected);
  return absolute(name, computed.data, expected.data, tolerance);
}

/** Largest norm of a gradient's difference, as a share of the expected gradient's norm. */
export function gradientShares(
  name: string,
  computed: Readonly<Record<string, NdArray>>,
  expected: ReadonlyMap<string, NdArray>,
  tolerance: number,
): ParityCheck {
  const shares = [...expected].map(([parameter, gradient]) => {
    const ours = gradientOf(computed, parameter);
    requireShape(parameter, ours, gradient);
    const difference = norm(differences(parameter, ours.data, gradient.data));
    return { parameter, share: difference / norm(gradient.data) };
  });
  return worst(name, shares, tolerance);
}

/** Largest difference between a gradient's norm and the expected norm, as a share of the latter. */
export function normShares(
  name: string,
  computed: Readonly<Record<string, NdArray>>,
  expected: Readonly<Record<string, number>>,
  tolerance: number,
): ParityCheck {
  const shares = Object.entries(expected).map(([parameter, expectedNorm]) => {
    const difference = norm(gradientOf(computed, parameter).data) - expectedNorm;
    return { parameter, share: Math.abs(difference) / expectedNorm };
  });
  return worst(name, shares, tolerance);
}

function worst(
  name: string,
  shares: readonly { readonly parameter: string; readonly share: number }[],
  tolerance: number,
): ParityCheck {
  const largestShare = largest(shares.map(({ share }) => share));
  const furthest = shares.find(({ share }) => Object.is(share, largestShare))?.parameter ?? "none";
  return judge(name, largestShare, tolerance, `${shares.length} parameters, of the norm; furthest: ${furthest}`);
}

function judge(name: string, largestDifference: number, tolerance: number, detail: string): ParityCheck {
  return { name, largestDifference, tolerance, pass: largestDifference <= tolerance, detail };
}

function gradientOf(computed: Readonly<Record<string, NdArray>>, parameter: string): NdArray {
  const gradient = computed[parameter];
  if (gradient) return gradient;
  throw new Error(`parity: the model has no parameter "${parameter}"`);
}

function requireShape(name: string, computed: NdArray, expected: NdArray): void {
  if (sameShape(computed.shape, expected.shape)) return;
  const [ours, theirs] = [computed, expected].map(({ shape }) => formatShape(shape));
  throw new Error(`parity: ${name} must be ${theirs}, got ${ours}`);
}

function differences(name: string, computed: ArrayLike<number>, expected: ArrayLike<number>): number[] {
  if (computed.length === expected.length) {
    return Array.from(expected, (value, i) => Math.abs(computed[i] - value));
  }
  throw new Error(`parity: ${name} must hold ${expected.length} values, got ${computed.length}`);
}

/** NaN if any value is. */
function largest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0);
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}
