import type { DType } from "../../../tensor/dtype.ts";
import type { Comparison } from "../../../tensor/op.ts";
import type { ScalarOp } from "../../../compiler/program.ts";
import { call } from "../assembly/control-instructions.ts";
import type { Computed, Integer, Operand, Value } from "../assembly/instruction.ts";
import { f32, f64, i32 } from "../assembly/scalar-instructions.ts";
import { f32x4, i32x4 } from "../assembly/vector-instructions.ts";
import { POW } from "./module-interface.ts";
import type { FloatOperation, IntegerOperation, Lanes, Vector } from "./lanes.ts";
import { cosine, erf, exponential, log, logistic, sine, tanh } from "./math.ts";

/** Operands of an op: their code and what they hold. */
export interface Operands {
  readonly operands: readonly Computed[];
  readonly dtype: DType;
  /** The values of operands that are constants. */
  readonly constants?: readonly (number | undefined)[];
}

const LANES = [0, 1, 2, 3];

type Emit = (l: Lanes, operands: Operands, op: ScalarOp, result: DType) => Computed;

const arithmetic =
  (op: FloatOperation & IntegerOperation): Emit =>
  (l, { operands, dtype }) =>
    dtype === "f32" ? l.f(op, ...operands) : l.i(op, ...operands);

const floating =
  (op: FloatOperation): Emit =>
  (l, { operands }) =>
    l.f(op, ...operands);

const transcendental =
  (formula: (l: Lanes, x: Computed) => Computed): Emit =>
  (l, { operands: [x] }) =>
    formula(l, x);

const bitwise =
  (op: "and" | "or" | "xor"): Emit =>
  (l, { operands: [a, b] }) =>
    l.bits(op, a, b);

const extremum =
  (op: "min" | "max"): Emit =>
  (l, { operands: [a, b], dtype }) =>
    dtype === "f32" ? floatExtremum(l, op, a, b) : integerExtremum(l, op, a, b, dtype);

/** pmin and pmax are one instruction on x64, min and max eight; they keep a NaN in their first operand only. */
function floatExtremum(l: Lanes, op: "min" | "max", a: Computed, b: Computed): Computed {
  if (!l.isVector) return l.f(op, a, b);
  const x = l.let(b);
  return l.select(l.f("eq", x, x), f32x4[`p${op}`](a as Vector, x as Vector), x);
}

function integerExtremum(l: Lanes, op: "min" | "max", a: Computed, b: Computed, dtype: DType): Computed {
  const sign = dtype === "u32" ? "u" : "s";
  if (l.isVector) return i32x4[`${op}_${sign}`](a as Vector, b as Vector);
  const [x, y] = [l.let(a), l.let(b)];
  return l.select(l.i(op === "min" ? `lt_${sign}` : `gt_${sign}`, x, y), x, y);
}

/** By one amount for all lanes where it is a constant: wasm's vector shifts know no other. */
const shift =
  (op: "shl" | "shr_u"): Emit =>
  (l, { operands: [value, bits], constants }) => {
    const amount = constants?.[1];
    if (amount !== undefined) return l.shift(op, value, amount);
    if (!l.isVector) return l.i(op, value, bits);
    const [x, n] = [l.let(value) as Vector, l.let(bits) as Vector];
    const shifted = (lane: number): Integer => i32[op](i32x4.extract_lane(lane, x), i32x4.extract_lane(lane, n));
    return LANES.reduce((vector, lane) => i32x4.replace_lane(lane, vector, shifted(lane)), x);
  };

/** Math.pow is imported: powers with a variable exponent are rare, and right results matter more. */
const power: Emit = (l, { operands: [a, b] }) => {
  const pow = (x: Operand<"f32">, y: Operand<"f32">): Value<"f32"> =>
    f32.demote_f64(call(POW, f64.promote_f32(x), f64.promote_f32(y)));
  if (!l.isVector) return pow(a as Operand<"f32">, b as Operand<"f32">);
  const [x, y] = [l.let(a) as Vector, l.let(b) as Vector];
  const powered = (lane: number): Value<"f32"> => pow(f32x4.extract_lane(lane, x), f32x4.extract_lane(lane, y));
  return LANES.reduce((vector, lane) => f32x4.replace_lane(lane, vector, powered(lane)), x);
};

const sign: Emit = (l, { operands: [input], dtype }) => {
  if (dtype !== "f32") {
    const x = l.let(input);
    const positive = l.i(dtype === "u32" ? "gt_u" : "gt_s", x, l.integer(0));
    const one = l.select(positive, l.integer(1), l.integer(0));
    if (dtype === "u32") return one;
    return l.select(l.i("lt_s", x, l.integer(0)), l.integer(-1), one);
  }
  const x = l.let(input);
  const positive = l.select(l.f("gt", x, l.float(0)), l.float(1), x); // 0, -0 and NaN stay
  return l.select(l.f("lt", x, l.float(0)), l.float(-1), positive);
};

const compare: Emit = (l, { operands: [a, b], dtype }, op) => {
  const direction: Comparison = op.kind === "compare" ? op.direction : "eq";
  if (dtype === "f32") return l.f(direction, a, b);
  const isEquality = direction === "eq" || direction === "ne";
  return l.i(isEquality ? direction : `${direction}_${dtype === "u32" ? "u" : "s"}`, a, b);
};

const convert: Emit = (l, { operands: [x], dtype }, _, result) => {
  if (dtype === result) return x;
  if (dtype === "bool") return result === "f32" ? l.select(x, l.float(1), l.float(0)) : l.toWord(x);
  if (result === "bool") return dtype === "f32" ? l.f("ne", x, l.float(0)) : l.i("ne", x, l.integer(0));
  if (result === "f32") return l.toFloat(x, dtype === "u32" ? "u" : "s");
  return dtype === "f32" ? l.truncate(x, result === "u32" ? "u" : "s") : x;
};

const clamp: Emit = (l, { operands: [low, x, high], dtype }) => {
  if (dtype !== "f32") return integerExtremum(l, "min", integerExtremum(l, "max", x, low, dtype), high, dtype);
  return l.f("min", l.f("max", x, low), high);
};

const table: { readonly [K in ScalarOp["kind"]]: Emit } = {
  negate: (l, { operands: [x], dtype }) => (dtype === "f32" ? l.f("neg", x) : l.i("sub", l.integer(0), x)),
  exponential: transcendental(exponential),
  log: transcendental(log),
  sqrt: floating("sqrt"),
  rsqrt: (l, { operands: [x] }) => l.f("div", l.float(1), l.f("sqrt", x)),
  tanh: transcendental(tanh),
  logistic: transcendental(logistic),
  erf: transcendental(erf),
  sine: transcendental(sine),
  cosine: transcendental(cosine),
  abs: (l, { operands: [x], dtype }) => {
    if (dtype === "u32") return x;
    if (dtype === "f32") return l.f("abs", x);
    if (l.isVector) return i32x4.abs(x as Vector);
    const value = l.let(x);
    return l.select(l.i("lt_s", value, l.integer(0)), l.i("sub", l.integer(0), value), value);
  },
  sign,
  floor: floating("floor"),
  stop_gradient: (_, { operands: [x] }) => x,
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
  select: (l, { operands: [condition, a, b] }) => l.select(condition, a, b),
  clamp,
  convert,
  bitcast_convert: (l, { operands: [x] }) => l.asFloat(x),
};

/** Computed for one op on scalars or vectors. */
export function emitOp(l: Lanes, op: ScalarOp, operands: Operands, result: DType): Computed {
  return table[op.kind](l, operands, op, result);
}
