import { allocate, isInteger } from "../../tensor/dtype.ts";
import type { DType, TypedArray } from "../../tensor/dtype.ts";
import type { TensorType } from "../../tensor/infer.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { BinaryKind, Comparison, UnaryKind } from "../../tensor/op.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { erf } from "./erf.ts";
import type { Meanings } from "./meaning.ts";

type Unary = (x: number) => number;
type Binary = (a: number, b: number) => number;

const unary: Readonly<Record<UnaryKind, Unary>> = {
  negate: (x) => -x,
  exponential: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  tanh: Math.tanh,
  logistic: (x) => 1 / (1 + Math.exp(-x)),
  erf,
  sine: Math.sin,
  cosine: Math.cos,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  stop_gradient: (x) => x,
};

const binary: Readonly<Record<BinaryKind, Binary>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  // IEEE 754 has pow(1, NaN) = 1 and pow(-1, +-Infinity) = 1; JavaScript has NaN.
  power: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shift_left: (a, b) => a << b,
  shift_right: (a, b) => a >>> b,
};

/** On NaN all but "ne" are false. */
const comparisons: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

const LIMITS = { i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1] } as const;

/** A float becomes an integer by truncation, at most the nearest that the dtype has; NaN becomes 0. Integers wrap. */
function conversion(from: DType, to: DType): Unary {
  if (to === "bool") return (x) => (x === 0 ? 0 : 1);
  if (from !== "f32" || to === "f32") return (x) => x;
  const [low, high] = LIMITS[to];
  return (x) => (Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high));
}

function mapUnary(fn: Unary, [{ data }]: readonly NdArray[], { shape, dtype }: TensorType): TypedArray {
  const out = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = fn(data[i]);
  return out;
}

function mapBinary(fn: Binary, inputs: readonly NdArray[], { shape, dtype }: TensorType): TypedArray {
  const [a, b] = inputs.map(({ data }) => data);
  const out = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = fn(a[i], b[i]);
  return out;
}

const ofUnary = (op: { readonly kind: UnaryKind }, inputs: readonly NdArray[], result: TensorType): TypedArray =>
  mapUnary(unary[op.kind], inputs, result);

const ofBinary = (op: { readonly kind: BinaryKind }, inputs: readonly NdArray[], result: TensorType): TypedArray => {
  // float64 cannot hold all bits of a product of two integers.
  const wrapping = op.kind === "multiply" && isInteger(result.dtype);
  return mapBinary(wrapping ? Math.imul : binary[op.kind], inputs, result);
};

export const elementwise: Meanings<
  UnaryKind | BinaryKind | "compare" | "select" | "clamp" | "convert" | "bitcast_convert"
> = {
  negate: ofUnary,
  exponential: ofUnary,
  log: ofUnary,
  sqrt: ofUnary,
  rsqrt: ofUnary,
  tanh: ofUnary,
  logistic: ofUnary,
  erf: ofUnary,
  sine: ofUnary,
  cosine: ofUnary,
  abs: ofUnary,
  sign: ofUnary,
  floor: ofUnary,
  stop_gradient: (_, [x]) => x.data,
  add: ofBinary,
  subtract: ofBinary,
  multiply: ofBinary,
  divide: ofBinary,
  maximum: ofBinary,
  minimum: ofBinary,
  power: ofBinary,
  and: ofBinary,
  or: ofBinary,
  xor: ofBinary,
  shift_left: ofBinary,
  shift_right: ofBinary,
  compare: (op, inputs, result) => {
    const holds = comparisons[op.direction];
    return mapBinary((a, b) => (holds(a, b) ? 1 : 0), inputs, result);
  },
  select: (_, [condition, onTrue, onFalse], { shape, dtype }) => {
    const out = allocate(dtype, sizeOf(shape));
    for (let i = 0; i < out.length; i++) out[i] = condition.data[i] === 0 ? onFalse.data[i] : onTrue.data[i];
    return out;
  },
  clamp: (_, [low, x, high], { shape, dtype }) => {
    const out = allocate(dtype, sizeOf(shape));
    for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(x.data[i], low.data[i]), high.data[i]);
    return out;
  },
  bitcast_convert: (_, [{ data }]) => new Float32Array(Uint32Array.from(data).buffer),
  convert: (op, inputs, result) => mapUnary(conversion(inputs[0].dtype, op.dtype), inputs, result),
};
