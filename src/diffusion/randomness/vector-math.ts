/**
 * Logarithm, sine and cosine in float32 by the polynomials of Cephes (Moshier 1992, logf and sinf), in the order and with the
 * fused multiplications of PyTorch's vector code on x86 processors: its normal numbers are made of these, and the functions of
 * `Math` would be off by some units of the last digit.
 */

const round = Math.fround;

const LOG = /* @__PURE__ */ [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(round);
const SINE = /* @__PURE__ */ [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(round);
const COSINE = /* @__PURE__ */ [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(round);
/** log(2) in two parts, the first of which has few digits. */
const LOG2_HIGH = 0.693359375;
const LOG2_LOW = /* @__PURE__ */ round(-2.1219444e-4);
/** -pi / 4 in three parts. */
const MINUS_QUARTER_PI = /* @__PURE__ */ [-0.78515625, -2.4187564849853516e-4, -3.774894977445941e-8].map(round);

/** a b + c with one rounding: the product of two float32 is exact in float64. */
function fused(a: number, b: number, c: number): number {
  return round(a * b + c);
}

/** The polynomial with these coefficients, that of the highest power first. */
function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((value, coefficient) => fused(value, x, coefficient));
}

const bits = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(4));

/** @param value a normal float32 above 0 */
export function log32(value: number): number {
  bits.setFloat32(0, value);
  const word = bits.getInt32(0);
  // value = mantissa 2^exponent with a mantissa from 1/2 to 1, or from sqrt(1/2) to sqrt(2).
  let exponent = (word >>> 23) - 126;
  bits.setInt32(0, (word & 0x7fffff) | 0x3f000000);
  let mantissa = bits.getFloat32(0);
  if (mantissa < round(Math.SQRT1_2)) {
    exponent--;
    mantissa *= 2;
  }
  const x = round(mantissa - 1);
  const square = round(x * x);
  const cubic = round(polynomial(LOG, x) * x);
  const tail = fused(-0.5, square, fused(cubic, square, round(exponent * LOG2_LOW)));
  return fused(exponent, LOG2_HIGH, round(x + tail));
}

/** @param angle a float32 of at least 0, below 8192 */
export function sineAndCosine32(angle: number): readonly [sine: number, cosine: number] {
  // The nearest even multiple of pi / 4 is taken off.
  const octant = (Math.trunc(round(angle * round(4 / Math.PI))) + 1) & ~1;
  const x = MINUS_QUARTER_PI.reduce((rest, part) => fused(octant, part, rest), angle);
  const square = round(x * x);
  const cosine = round(fused(round(polynomial(COSINE, square) * square), square, round(-0.5 * square)) + 1);
  const sine = fused(round(polynomial(SINE, square) * square), x, x);
  const [first, second] = (octant & 2) === 0 ? [sine, cosine] : [cosine, sine];
  return [(octant & 4) === 0 ? first : -first, ((octant + 2) & 4) === 0 ? second : -second];
}
