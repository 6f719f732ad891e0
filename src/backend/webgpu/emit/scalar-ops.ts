import type { ScalarOp } from "../../../compiler/program.ts";
import type { DType } from "../../../tensor/dtype.ts";
import type { Comparison, Reduction } from "../../../tensor/op.ts";
import type { FunctionName } from "./functions.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** What an op is applied to. */
export interface Operands {
  readonly codes: readonly Code[];
  readonly dtype: DType;
}

type Emit = (shader: ShaderWriter, operands: Operands, op: ScalarOp, result: DType) => Code;

const infix =
  (symbol: string): Emit =>
  (_, { codes: [a, b] }) =>
    `(${a} ${symbol} ${b})`;

const builtin =
  (name: string): Emit =>
  (_, { codes }) =>
    `${name}(${codes.join(", ")})`;

const library =
  (name: FunctionName): Emit =>
  (shader, { codes }) =>
    `${shader.use(name)}(${codes.join(", ")})`;

/** WGSL's min and max may drop a NaN. */
const extremum =
  (name: "maximum" | "minimum"): Emit =>
  (shader, { codes, dtype }) => {
    const callee = dtype === "f32" ? shader.use(name) : name === "maximum" ? "max" : "min";
    return `${callee}(${codes.join(", ")})`;
  };

const shift =
  (symbol: string): Emit =>
  (_, { codes: [value, bits] }) =>
    `(${value} ${symbol} (${bits} & 31u))`;

const symbols: Readonly<Record<Comparison, string>> = { eq: "==", ne: "!=", lt: "<", le: "<=", gt: ">", ge: ">=" };

const compare: Emit = (_, { codes: [a, b], dtype }, op) => {
  const direction: Comparison = op.kind === "compare" ? op.direction : "eq";
  // On a NaN "ne" is true, but compilers that order floats say false.
  if (direction === "ne" && dtype === "f32") return `!(${a} == ${b})`;
  return `(${a} ${symbols[direction]} ${b})`;
};

const convert: Emit = (shader, { codes: [x], dtype }, _, result) => {
  if (dtype === result) return x;
  if (result === "bool") return dtype === "f32" ? `!(${x} == 0f)` : `(${x} != ${dtype}(0))`;
  if (dtype === "f32") return `${shader.use(result === "i32" ? "to_i32" : "to_u32")}(${x})`;
  if (result === "f32" && dtype !== "bool") return `${shader.use(dtype === "i32" ? "from_i32" : "from_u32")}(${x})`;
  return `${result}(${x})`;
};

const sign: Emit = (shader, { codes: [x], dtype }) => {
  if (dtype === "f32") return `${shader.use("sign_of")}(${x})`;
  return dtype === "u32" ? `min(${x}, 1u)` : `sign(${x})`;
};

const clamp: Emit = (shader, { codes: [low, x, high], dtype }, op, result) => {
  const raised = extremum("maximum")(shader, { codes: [x, low], dtype }, op, result);
  return extremum("minimum")(shader, { codes: [raised, high], dtype }, op, result);
};

const table: { readonly [K in ScalarOp["kind"]]: Emit } = {
  negate: (_, { codes: [x], dtype }) => (dtype === "u32" ? `(~${x} + 1u)` : `-(${x})`),
  exponential: library("exponential"),
  log: library("logarithm"),
  sqrt: builtin("sqrt"),
  rsqrt: builtin("inverseSqrt"),
  tanh: library("hyperbolic_tangent"),
  logistic: library("logistic"),
  erf: library("erf"),
  sine: library("sine"),
  cosine: library("cosine"),
  abs: builtin("abs"),
  sign,
  floor: builtin("floor"),
  stop_gradient: (_, { codes: [x] }) => x,
  add: infix("+"),
  subtract: infix("-"),
  multiply: infix("*"),
  divide: infix("/"),
  maximum: extremum("maximum"),
  minimum: extremum("minimum"),
  power: library("power"),
  and: infix("&"),
  or: infix("|"),
  xor: (_, { codes: [a, b], dtype }) => `(${a} ${dtype === "bool" ? "!=" : "^"} ${b})`,
  shift_left: shift("<<"),
  shift_right: shift(">>"),
  compare,
  select: (_, { codes: [condition, a, b] }) => `select(${b}, ${a}, ${condition})`,
  clamp,
  convert,
  bitcast_convert: (_, { codes: [x] }) => `bitcast<f32>(${x})`,
};

/** An expression of WGSL for one op. */
export function emitOp(shader: ShaderWriter, op: ScalarOp, operands: Operands, result: DType): Code {
  return table[op.kind](shader, operands, op, result);
}

const combinations: Readonly<Record<Reduction, ScalarOp>> = {
  sum: { kind: "add" },
  max: { kind: "maximum" },
  min: { kind: "minimum" },
};

/** Two parts of a reduction as one. */
export function combine(shader: ShaderWriter, reduction: Reduction, dtype: DType, a: Code, b: Code): Code {
  return emitOp(shader, combinations[reduction], { codes: [a, b], dtype }, dtype);
}

/** A number as WGSL reads it back exactly. */
export function literal(shader: ShaderWriter, dtype: DType, value: number): Code {
  switch (dtype) {
    case "bool":
      return value === 0 ? "false" : "true";
    case "u32":
      return `${value >>> 0}u`;
    case "i32":
      // Its digits alone would be too large for an i32.
      return (value | 0) === -(2 ** 31) ? "i32(-2147483648)" : `${value | 0}i`;
    case "f32":
      return floatLiteral(shader, Math.fround(value));
  }
}

function floatLiteral(shader: ShaderWriter, value: number): Code {
  if (Number.isNaN(value)) return `${shader.use("not_a_number")}()`;
  if (!Number.isFinite(value)) return `${value < 0 ? "-" : ""}${shader.use("infinity")}()`;
  return Object.is(value, -0) ? "-0f" : `${value}f`;
}
