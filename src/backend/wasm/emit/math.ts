import type { Computed } from "../assembly/instruction.ts";
import type { Lanes } from "./lanes.ts";

// Polynomials in Horner form, fitted for these ranges by weighted least squares. The errors stated are the
// largest relative ones in float32 arithmetic, measured against float64 by math.test.ts.

function polynomial(l: Lanes, x: Computed, coefficients: readonly number[]): Computed {
  let sum = l.float(coefficients[coefficients.length - 1]);
  for (let i = coefficients.length - 2; i >= 0; i--) sum = l.f("add", l.f("mul", sum, x), l.float(coefficients[i]));
  return sum;
}

const EXP = [0.49999993446884833, 0.16666520622769, 0.041668388228555855, 0.008368717711166058, 0.0013814589876395594];
const LN2_HIGH = 0.693359375; // 9 bits: times a whole number it is exact
const LN2_LOW = Math.LN2 - LN2_HIGH;

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

const LOG = [
  0.33333312598734993, -0.2500000961529075, 0.20002118966638371, -0.16667995167294333, 0.14219546361228672,
  -0.12405597879173183, 0.11888211807542903, -0.11675615303249182, 0.06746489795860623,
];

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

const TANH = [
  -0.3333328391839178, 0.13331491131354664, -0.053743486718933545, 0.02065055396731878, -0.005717010981842251,
];

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

const ERF_NEAR = [
  1.1283791657266318, -0.37612625823688334, 0.11283585142428401, -0.02685381167650265, 0.005188327194058842,
  -0.000801018930622184, 7.853847094129173e-5,
];
/** -log(erfc(x)) on [1, 4]. */
const ERF_FAR = [
  -0.0001880359251318731, 1.129578408497122, 0.6332199166329234, 0.10841855904182394, -0.025208248987530733,
  0.0042045602065831494, -0.0004413362489625145, 2.1686854129990567e-5,
];

/** Relative error below 4e-7. */
export function erf(l: Lanes, input: Computed): Computed {
  const x = l.let(input);
  const size = l.let(l.lesser(l.f("abs", x), l.float(4)));
  const square = l.let(l.f("mul", x, x));
  const near = l.f("mul", x, polynomial(l, square, ERF_NEAR));
  const far = l.f("sub", l.float(1), exponential(l, l.f("neg", polynomial(l, size, ERF_FAR))));
  return l.select(l.f("lt", size, l.float(1)), near, copySign(l, far, x));
}

const SINE = [-0.16666654872646364, 0.008332173504146567, -0.00019516651557622032];
const COSINE = [0.041666646745975026, -0.0013887361375322057, 2.4437722592726804e-5];
/** pi / 2 in three parts of few bits (Cody & Waite 1980). */
const HALF_PI = [1.5703125, 4.837512969970703e-4, 7.54978995489188e-8] as const;

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
