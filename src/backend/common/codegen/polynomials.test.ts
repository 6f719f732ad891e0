import { expect, test } from "vitest";
import { erf } from "../../reference/erf.ts";
import {
  COSINE,
  ERF_FAR,
  ERF_NEAR,
  EXP,
  EXP2_TAIL,
  HALF_PI,
  LN2_HIGH,
  LN2_LOW,
  LOG,
  SINE,
  TANH,
  horner,
} from "./polynomials.ts";

interface Claim {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly approximate: (x: number) => number;
  readonly exact: (x: number) => number;
  /** The largest relative one; 1.2e-7 unless given, one unit in the last place of float32. */
  readonly error?: number;
}

const at = (x: number, coefficients: readonly number[]): number =>
  horner(
    coefficients,
    (c) => c,
    (sum, c) => sum * x + c,
  );

const claims: readonly Claim[] = [
  {
    name: "EXP",
    from: -Math.LN2 / 2,
    to: Math.LN2 / 2,
    approximate: (r) => 1 + r + r * r * at(r, EXP),
    exact: Math.exp,
  },
  {
    name: "EXP2_TAIL",
    from: -0.5,
    to: 0.5,
    approximate: (f) => 1 + f * at(f, EXP2_TAIL),
    exact: (f) => 2 ** f,
    error: 1.7e-7,
  },
  {
    name: "LOG",
    from: Math.SQRT1_2 - 1,
    to: Math.SQRT2 - 1,
    approximate: (f) => f - (f * f) / 2 + f ** 3 * at(f, LOG),
    exact: Math.log1p,
  },
  { name: "TANH", from: -0.625, to: 0.625, approximate: (x) => x + x ** 3 * at(x * x, TANH), exact: Math.tanh },
  { name: "ERF_NEAR", from: -1, to: 1, approximate: (x) => x * at(x * x, ERF_NEAR), exact: erf },
  { name: "ERF_FAR", from: 1, to: 4, approximate: (x) => 1 - Math.exp(-at(x, ERF_FAR)), exact: erf },
  {
    name: "SINE",
    from: -Math.PI / 4,
    to: Math.PI / 4,
    approximate: (r) => r + r ** 3 * at(r * r, SINE),
    exact: Math.sin,
  },
  {
    name: "COSINE",
    from: -Math.PI / 4,
    to: Math.PI / 4,
    approximate: (r) => 1 - (r * r) / 2 + r ** 4 * at(r * r, COSINE),
    exact: Math.cos,
  },
];

test.each(claims)("$name is right to float32 over its range", ({ from, to, approximate, exact, error = 1.2e-7 }) => {
  let worst = 0;
  // An even number of points: none is 0, where a relative error has no meaning.
  for (let i = 0; i < 10_000; i++) {
    const x = from + ((to - from) * (i + 0.5)) / 10_000;
    worst = Math.max(worst, Math.abs(approximate(x) / exact(x) - 1));
  }
  expect(worst).toBeLessThan(error);
});

test("the parts of log 2 and of pi / 2 add up, and all but the last are short", () => {
  expect(LN2_HIGH + LN2_LOW).toBe(Math.LN2);
  expect(LN2_HIGH * 2 ** 9).toBe(Math.round(LN2_HIGH * 2 ** 9));
  expect(Math.abs(HALF_PI.reduce((sum, part) => sum + part, 0) - Math.PI / 2)).toBeLessThan(1e-14);
});
