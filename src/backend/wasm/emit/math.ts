import type { Computed } from "../assembly/instruction.ts";
import {
  COSINE,
  ERF_FAR,
  ERF_NEAR,
  EXP,
  HALF_PI,
  LN2_HIGH,
  LN2_LOW,
  LOG,
  SINE,
  TANH,
  horner,
} from "../../common/codegen/polynomials.ts";
import type { Lanes } from "./lanes.ts";

// The errors stated are the largest relative ones in float32 arithmetic, measured against float64 by math.test.ts.

function polynomial(l: Lanes, x: Computed, coefficients: readonly number[]): Computed {
  return horner(
    coefficients,
    (value) => l.float(value),
    (sum, c) => l.f("add", l.f("mul", sum, x), c),
  );
}

/** Adding it rounds a float to a whole number, which then stands in the lowest bits. */
const ROUNDING = 1.5 * 2 ** 23;

/** e^x = (2^n e^r)^2 with |r| <= ln 2 / 2; relative error below 3e-7, infinity and 0 at the ends. */
export function exponential(l: Lanes, input: Computed): Computed {
  // The square is taken last, so that 2^n is a normal float wherever the result is one.
  const bounded = l.greater(l.lesser(input, l.float(176)), l.float(-174));
  const x = l.let(l.f("mul", bounded, l.float(0.5)));
  const rounded = l.let(l.f("add", l.f("mul", x, l.float(Math.LOG2E)), l.float(ROUNDING)));
  const n = l.let(l.f("sub", rounded, l.float(ROUNDING)));
  const high = l.f("sub", x, l.f("mul", n, l.float(LN2_HIGH)));
  const r = l.let(l.f("sub", high, l.f("mul", n, l.float(LN2_LOW))));
  const tail = l.f("mul", l.f("mul", r, r), polynomial(l, r, EXP));
  const p = l.f("add", l.f("add", tail, r), l.float(1));
  const scale = l.asFloat(l.shift("shl", l.i("add", l.asInteger(rounded), l.integer(127)), 23));
  const root = l.let(l.f("mul", p, scale));
  return l.f("mul", root, root);
}

/** Natural logarithm; relative error below 2e-7, NaN below 0. */
export function log(l: Lanes, input: Computed): Computed {
  const x = l.let(input);
  // Denormals are scaled up first.
  const small = l.let(l.f("lt", x, l.float(2 ** -126)));
  const scaled = l.let(l.asInteger(l.select(small, l.f("mul", x, l.float(2 ** 23)), x)));
  // m in [sqrt 1/2, sqrt 2): the exponent counts from the bits of sqrt 1/2.
  const offset = l.integer(0x3f3504f3);
  const exponent = l.let(l.shift("shr_s", l.i("sub", scaled, offset), 23));
  const mantissa = l.asFloat(l.i("sub", scaled, l.shift("shl", exponent, 23)));
  const f = l.let(l.f("sub", mantissa, l.float(1)));
  const e = l.let(l.f("add", l.toFloat(exponent), l.select(small, l.float(-23), l.float(0))));
  const square = l.let(l.f("mul", f, f));
  const tail = l.f("mul", l.f("mul", square, f), polynomial(l, f, LOG));
  const low = l.f("add", tail, l.f("mul", e, l.float(LN2_LOW)));
  const series = l.f("add", l.f("sub", low, l.f("mul", square, l.float(0.5))), f);
  const result = l.f("add", series, l.f("mul", e, l.float(LN2_HIGH)));
  const atZero = l.select(l.f("eq", x, l.float(0)), l.float(-Infinity), result);
  const belowZero = l.select(l.f("lt", x, l.float(0)), l.float(NaN), atZero);
  // +infinity and NaN stay what they are.
  return l.select(l.f("lt", x, l.float(Infinity)), belowZero, x);
}

/** 1 / (1 + e^-x); relative error below 4e-7. */
export function logistic(l: Lanes, x: Computed): Computed {
  return l.f("div", l.float(1), l.f("add", l.float(1), exponential(l, l.f("neg", x))));
}

/** Relative error below 4e-7. */
export function tanh(l: Lanes, input: Computed): Computed {
  const x = l.let(input);
  const size = l.let(l.f("abs", x));
  const square = l.let(l.f("mul", x, x));
  const near = l.f("add", x, l.f("mul", l.f("mul", x, square), polynomial(l, square, TANH)));
  const doubled = exponential(l, l.f("add", size, size));
  const far = l.f("sub", l.float(1), l.f("div", l.float(2), l.f("add", doubled, l.float(1))));
  return l.select(l.f("lt", size, l.float(0.625)), near, copySign(l, far, x));
}

/** The size of a non-negative value with the sign of another. */
function copySign(l: Lanes, size: Computed, sign: Computed): Computed {
  return l.asFloat(l.bits("or", l.asInteger(size), l.bits("and", l.asInteger(sign), l.integer(0x80000000))));
}

/** Relative error below 4e-7. */
export function erf(l: Lanes, input: Computed): Computed {
  const x = l.let(input);
  const size = l.let(l.lesser(l.f("abs", x), l.float(4)));
  const square = l.let(l.f("mul", x, x));
  const near = l.f("mul", x, polynomial(l, square, ERF_NEAR));
  const far = l.f("sub", l.float(1), exponential(l, l.f("neg", polynomial(l, size, ERF_FAR))));
  return l.select(l.f("lt", size, l.float(1)), near, copySign(l, far, x));
}

/** Absolute error below 2e-7 for |x| up to 10,000; it grows beyond. */
export function sine(l: Lanes, x: Computed): Computed {
  return quadrant(l, x, 0);
}

/** As sine. */
export function cosine(l: Lanes, x: Computed): Computed {
  return quadrant(l, x, 1);
}

/** sin(x + turns * pi / 2) */
function quadrant(l: Lanes, input: Computed, turns: 0 | 1): Computed {
  const x = l.let(input);
  const n = l.let(l.f("nearest", l.f("mul", x, l.float(2 / Math.PI))));
  const r = l.let(HALF_PI.reduce<Computed>((rest, part) => l.f("sub", rest, l.f("mul", n, l.float(part))), x));
  const square = l.let(l.f("mul", r, r));
  const sin = l.f("add", r, l.f("mul", l.f("mul", r, square), polynomial(l, square, SINE)));
  const cosTail = l.f("mul", l.f("mul", square, square), polynomial(l, square, COSINE));
  const cos = l.f("add", l.f("sub", l.float(1), l.f("mul", square, l.float(0.5))), cosTail);
  const which = l.let(l.i("add", l.truncate(n), l.integer(turns)));
  const odd = l.i("ne", l.bits("and", which, l.integer(1)), l.integer(0));
  const value = l.select(odd, cos, sin);
  const sign = l.shift("shl", l.bits("and", which, l.integer(2)), 30);
  return l.asFloat(l.bits("xor", l.asInteger(value), sign));
}
