import type { DType } from "../../../tensor/dtype.ts";
import type { Comparison } from "../../../tensor/op.ts";
import type { ScalarOp } from "../../../compiler/program.ts";
import type { Lanes } from "./lanes.ts";
import { cosine, erf, exponential, log, logistic, sine, tanh } from "./math.ts";
import type { Code } from "./writer.ts";

/** Operands of an op: their code and what they hold. */
export interface Operands {
  readonly codes: readonly Code[];
  readonly dtype: DType;
  /** The values of operands that are constants. */
  readonly constants?: readonly (number | undefined)[];
}

type Emit = (l: Lanes, operands: Operands, op: ScalarOp, result: DType) => Code;

const arithmetic =
  (float: string, integer = float): Emit =>
  (l, { codes, dtype }) =>
    dtype === "f32" ? l.f(float, ...codes) : l.i(integer, ...codes);

const floating =
  (op: string): Emit =>
  (l, { codes }) =>
    l.f(op, ...codes);

const transcendental =
  (formula: (l: Lanes, x: Code) => Code): Emit =>
  (l, { codes: [x] }) =>
    formula(l, x);

const bitwise =
  (op: "and" | "or" | "xor"): Emit =>
  (l, { codes: [a, b] }) =>
    l.bits(op, a, b);

const extremum =
  (op: "min" | "max"): Emit =>
  (l, { codes: [a, b], dtype }) =>
    dtype === "f32" ? floatExtremum(l, op, a, b) : integerExtremum(l, op, a, b, dtype);

/** pmin and pmax are one instruction on x64, min and max eight; they keep a NaN in their first operand only. */
function floatExtremum(l: Lanes, op: "min" | "max", a: Code, b: Code): Code {
  if (!l.isVector) return l.f(op, a, b);
  const x = l.let("f32", b);
  return l.select(l.f("eq", x, x), l.f(`p${op}`, a, x), x);
}

function integerExtremum(l: Lanes, op: "min" | "max", a: Code, b: Code, dtype: DType): Code {
  const sign = dtype === "u32" ? "u" : "s";
  if (l.isVector) return l.i(`${op}_${sign}`, a, b);
  const [x, y] = [l.let("i32", a), l.let("i32", b)];
  return l.select(l.i(`${op === "min" ? "lt" : "gt"}_${sign}`, x, y), x, y);
}

/** By one amount for all lanes where it is a constant: wasm's vector shifts know no other. */
const shift =
  (op: "shl" | "shr_u"): Emit =>
  (l, { codes: [value, bits], constants }) => {
    const amount = constants?.[1];
    if (amount !== undefined) return l.shift(op, value, amount);
    if (!l.isVector) return l.i(op, value, bits);
    const [x, n] = [l.let("u32", value), l.let("u32", bits)];
    return [0, 1, 2, 3].reduce(
      (vector, lane) =>
        `(i32x4.replace_lane ${lane} ${vector} (i32.${op} (i32x4.extract_lane ${lane} ${x}) (i32x4.extract_lane ${lane} ${n})))`,
      x,
    );
  };

/** Math.pow is imported: powers with a variable exponent are rare, and right results matter more. */
const power: Emit = (l, { codes: [a, b] }) => {
  const pow = (x: Code, y: Code): Code => `(f32.demote_f64 (call $pow (f64.promote_f32 ${x}) (f64.promote_f32 ${y})))`;
  if (!l.isVector) return pow(a, b);
  const [x, y] = [l.let("f32", a), l.let("f32", b)];
  return [0, 1, 2, 3].reduce(
    (vector, lane) =>
      `(f32x4.replace_lane ${lane} ${vector} ${pow(`(f32x4.extract_lane ${lane} ${x})`, `(f32x4.extract_lane ${lane} ${y})`)})`,
    x,
  );
};

const sign: Emit = (l, { codes: [input], dtype }) => {
  if (dtype !== "f32") {
    const x = l.let(dtype, input);
    const positive = l.i(dtype === "u32" ? "gt_u" : "gt_s", x, l.integer(0));
    const one = l.select(positive, l.integer(1), l.integer(0));
    if (dtype === "u32") return one;
    return l.select(l.i("lt_s", x, l.integer(0)), l.integer(-1), one);
  }
  const x = l.let("f32", input);
  const positive = l.select(l.f("gt", x, l.float(0)), l.float(1), x); // 0, -0 and NaN stay
  return l.select(l.f("lt", x, l.float(0)), l.float(-1), positive);
};

const compare: Emit = (l, { codes: [a, b], dtype }, op) => {
  const direction: Comparison = op.kind === "compare" ? op.direction : "eq";
  if (dtype === "f32") return l.f(direction, a, b);
  const signed = direction === "eq" || direction === "ne" ? direction : `${direction}_${dtype === "u32" ? "u" : "s"}`;
  return l.i(signed, a, b);
};

const convert: Emit = (l, { codes: [x], dtype }, _, result) => {
  if (dtype === result) return x;
  if (dtype === "bool") return result === "f32" ? l.select(x, l.float(1), l.float(0)) : l.toWord(x);
  if (result === "bool") return dtype === "f32" ? l.f("ne", x, l.float(0)) : l.i("ne", x, l.integer(0));
  if (result === "f32") return l.toFloat(x, dtype === "u32" ? "u" : "s");
  return dtype === "f32" ? l.truncate(x, result === "u32" ? "u" : "s") : x;
};

const clamp: Emit = (l, { codes: [low, x, high], dtype }) => {
  if (dtype !== "f32") return integerExtremum(l, "min", integerExtremum(l, "max", x, low, dtype), high, dtype);
  return l.f("min", l.f("max", x, low), high);
};

const table: { readonly [K in ScalarOp["kind"]]: Emit } = {
  negate: (l, { codes: [x], dtype }) => (dtype === "f32" ? l.f("neg", x) : l.i("sub", l.integer(0), x)),
  exponential: transcendental(exponential),
  log: transcendental(log),
  sqrt: floating("sqrt"),
  rsqrt: (l, { codes: [x] }) => l.f("div", l.float(1), l.f("sqrt", x)),
  tanh: transcendental(tanh),
  logistic: transcendental(logistic),
  erf: transcendental(erf),
  sine: transcendental(sine),
  cosine: transcendental(cosine),
  abs: (l, { codes: [x], dtype }) => {
    if (dtype === "u32") return x;
    if (dtype === "f32" || l.isVector) return dtype === "f32" ? l.f("abs", x) : l.i("abs", x);
    const value = l.let("i32", x);
    return l.select(l.i("lt_s", value, l.integer(0)), l.i("sub", l.integer(0), value), value);
  },
  sign,
  floor: floating("floor"),
  stop_gradient: (_, { codes: [x] }) => x,
  add: arithmetic("add"),
  subtract: arithmetic("sub"),
  multiply: arithmetic("mul"),
  divide: floating("div"),
  maximum: extremum("max"),
  minimum: extremum("min"),
  power,
  and: bitwise("and"),
  or: bitwise("or"),
  xor: bitwise("xor"),
  shift_left: shift("shl"),
  shift_right: shift("shr_u"),
  compare,
  select: (l, { codes: [condition, a, b] }) => l.select(condition, a, b),
  clamp,
  convert,
};

/** Code for one op on scalars or vectors. */
export function emitOp(l: Lanes, op: ScalarOp, operands: Operands, result: DType): Code {
  return table[op.kind](l, operands, op, result);
}
