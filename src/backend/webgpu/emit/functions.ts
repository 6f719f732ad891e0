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
} from "../../common/codegen/polynomials.ts";

// WGSL's own functions may be far off: sin by 2^-11, exp by 3 + 2|x| units in the last place, log near 1 by much of its
// value (WGSL, "Accuracy of built-in functions"). The polynomials replace them.
//
// Nothing is compared with NaN or infinity by arithmetic: an implementation may take floats to be finite.

/** Horner's scheme as an expression. */
function polynomial(x: string, coefficients: readonly number[]): string {
  return horner(coefficients, float, (sum, c) => `(${sum} * ${x} + ${c})`);
}

function float(value: number): string {
  return `${Math.fround(value)}f`;
}

const TEXTS = {
  // A constant would be refused: only what is known at run time may be infinite.
  infinity: `var<private> infinity_bits: u32 = 0x7f800000u;
fn infinity() -> f32 { return bitcast<f32>(infinity_bits); }`,
  not_a_number: `fn not_a_number() -> f32 { return bitcast<f32>(infinity_bits | 0x400000u); }`,
  is_nan: `fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`,

  // Of numbers that are not negative: the float is off by less than one, as long as the quotient is below 2^21.
  quotient: `fn quotient(a: i32, n: i32, reciprocal: f32) -> i32 {
  let near = i32(f32(a) * reciprocal);
  let rest = a - near * n;
  return near + select(select(0, 1, rest >= n), -1, rest < 0);
}`,

  // IEEE 754's maximum and minimum: NaN wins.
  maximum: `fn maximum(a: f32, b: f32) -> f32 { return select(select(b, a, a > b), a, is_nan(a)); }`,
  minimum: `fn minimum(a: f32, b: f32) -> f32 { return select(select(b, a, a < b), a, is_nan(a)); }`,
  sign_of: `fn sign_of(x: f32) -> f32 { return select(select(x, 1f, x > 0f), -1f, x < 0f); }`,

  // In every WGSL, where f16 is an extension.
  to_halves: `fn to_halves(x: vec4<f32>) -> vec2<u32> { return vec2(pack2x16float(x.xy), pack2x16float(x.zw)); }`,
  from_halves: `fn from_halves(words: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(words.x), unpack2x16float(words.y));
}`,

  // Truncate and saturate; NaN gives 0.
  to_i32: `fn to_i32(x: f32) -> i32 {
  return select(select(i32(x), 0x7fffffffi, x >= 2147483648f), 0i, is_nan(x));
}`,
  to_u32: `fn to_u32(x: f32) -> u32 {
  return select(select(u32(max(x, 0f)), 0xffffffffu, x >= 4294967296f), 0u, is_nan(x));
}`,

  // The halves are exact, so that the sum is rounded once and to the nearest, as a conversion need not be.
  from_i32: `fn from_i32(x: i32) -> f32 { return f32(x >> 16u) * 65536f + f32(x & 0xffff); }`,
  from_u32: `fn from_u32(x: u32) -> f32 { return f32(x >> 16u) * 65536f + f32(x & 0xffffu); }`,

  // e^x = (2^n e^r)^2 with |r| <= ln 2 / 2: squared last, so that 2^n is a normal float wherever the result is one.
  exponential: `fn exponential(x: f32) -> f32 {
  let half = clamp(x, -174f, 176f) * 0.5f;
  let n = round(half * ${float(Math.LOG2E)});
  let r = half - n * ${float(LN2_HIGH)} - n * ${float(LN2_LOW)};
  let p = r * r * ${polynomial("r", EXP)} + r + 1f;
  let root = p * bitcast<f32>((i32(n) + 127) << 23u);
  return select(root * root, x, is_nan(x));
}`,

  // x = 2^e m with m in [sqrt 1/2, sqrt 2): the exponent counts from the bits of sqrt 1/2.
  logarithm: `fn logarithm(x: f32) -> f32 {
  let is_small = x < 1.1754944e-38f;
  let bits = bitcast<i32>(select(x, x * 8388608f, is_small));
  let e = (bits - 0x3f3504f3) >> 23u;
  let f = bitcast<f32>(bits - (e << 23u)) - 1f;
  let n = f32(e) - select(0f, 23f, is_small);
  let tail = f * f * f * ${polynomial("f", LOG)} + n * ${float(LN2_LOW)};
  let result = tail - f * f * 0.5f + f + n * ${float(LN2_HIGH)};
  let at_zero = select(result, -infinity(), x == 0f);
  let below_zero = select(at_zero, not_a_number(), x < 0f);
  // +infinity and NaN stay what they are.
  return select(below_zero, x, bitcast<i32>(x) >= 0x7f800000i);
}`,

  logistic: `fn logistic(x: f32) -> f32 { return 1f / (1f + exponential(-x)); }`,

  hyperbolic_tangent: `fn hyperbolic_tangent(x: f32) -> f32 {
  let square = x * x;
  let near = x + x * square * ${polynomial("square", TANH)};
  let far = 1f - 2f / (exponential(2f * abs(x)) + 1f);
  return select(copy_sign(far, x), near, abs(x) < 0.625f);
}`,

  // The size of a non-negative number with the sign of another.
  copy_sign: `fn copy_sign(size: f32, sign: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(size) | (bitcast<u32>(sign) & 0x80000000u));
}`,

  erf: `fn erf(x: f32) -> f32 {
  let size = min(abs(x), 4f);
  let square = x * x;
  let near = x * ${polynomial("square", ERF_NEAR)};
  let far = 1f - exponential(-${polynomial("size", ERF_FAR)});
  return select(select(copy_sign(far, x), near, abs(x) < 1f), x, is_nan(x));
}`,

  // sin(x + turns pi / 2)
  quadrant: `fn quadrant(x: f32, turns: i32) -> f32 {
  let n = round(x * ${float(2 / Math.PI)});
  let r = x - n * ${float(HALF_PI[0])} - n * ${float(HALF_PI[1])} - n * ${float(HALF_PI[2])};
  let square = r * r;
  let sine = r + r * square * ${polynomial("square", SINE)};
  let cosine = 1f - square * 0.5f + square * square * ${polynomial("square", COSINE)};
  let which = i32(n) + turns;
  let value = select(sine, cosine, (which & 1) != 0);
  return select(value, -value, (which & 2) != 0);
}`,
  sine: `fn sine(x: f32) -> f32 { return quadrant(x, 0); }`,
  cosine: `fn cosine(x: f32) -> f32 { return quadrant(x, 1); }`,

  // |x|^y = 2^(y e) 2^(y log2 m). The products of y's two halves with the whole number e are exact, so that only the
  // second factor is rounded: a relative error of about |y log2 m| 1e-7.
  power: `fn power(x: f32, y: f32) -> f32 {
  if (y == 0f || x == 1f) { return 1f; }
  if (is_nan(x) || is_nan(y)) { return not_a_number(); }
  // Larger exponents are even and far beyond where any base but 1 overflows or vanishes.
  let exponent = clamp(y, -6.8719477e10f, 6.8719477e10f);
  let is_whole = floor(exponent) == exponent;
  let is_odd = is_whole && abs(exponent) < 16777216f && (to_i32(exponent) & 1) != 0;
  let size = power_of_size(abs(x), exponent);
  if (bitcast<i32>(x) >= 0) { return size; }
  let is_finite = (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u;
  if (!is_whole && x != 0f && is_finite) { return not_a_number(); }
  return select(size, -size, is_odd);
}`,
  power_of_size: `fn power_of_size(x: f32, y: f32) -> f32 {
  if (x == 0f) { return select(infinity(), 0f, y > 0f); }
  if (bitcast<u32>(x) >= 0x7f800000u) { return select(0f, infinity(), y > 0f); }
  let bits = bitcast<i32>(x);
  let e = f32((bits - 0x3f3504f3) >> 23u);
  let m = bitcast<f32>(bits - (((bits - 0x3f3504f3) >> 23u) << 23u));
  let high = bitcast<f32>(bitcast<u32>(y) & 0xffffff00u);
  let exact = clamp(high * e, -1000f, 1000f);
  let rest = clamp((y - high) * e + y * (logarithm(m) * ${float(Math.LOG2E)}), -1000f, 1000f);
  let fraction = (exact - round(exact)) + (rest - round(rest));
  let f = fraction - round(fraction);
  let n = round(exact) + round(rest) + round(fraction);
  let p = 1f + f * ${polynomial("f", EXP2_TAIL)};
  // In two steps, as 2^n itself may be too large or too small.
  let first = clamp(n, -126f, 127f);
  let second = clamp(n - first, -126f, 127f);
  return p * bitcast<f32>((i32(first) + 127) << 23u) * bitcast<f32>((i32(second) + 127) << 23u);
}`,
} as const;

export type FunctionName = keyof typeof TEXTS;

const NAMES = Object.keys(TEXTS) as readonly FunctionName[];

/** The text of some functions and of all that they call. */
export function functionText(names: Iterable<FunctionName>): string {
  const needed = new Set<FunctionName>();
  const need = (name: FunctionName): void => {
    if (needed.has(name)) return;
    needed.add(name);
    for (const other of NAMES) if (other !== name && new RegExp(`\\b${other}\\b`).test(TEXTS[name])) need(other);
    if (name === "not_a_number") need("infinity");
  };
  for (const name of names) need(name);
  return NAMES.filter((name) => needed.has(name))
    .map((name) => TEXTS[name])
    .join("\n");
}
