import { instruction } from "./instruction.ts";
import type { Integer, Operand, PlainInstruction, Value } from "./instruction.ts";
import { VECTOR, address, family, load, prefixed, store } from "./instruction-family.ts";

// Instructions on vectors of 128 bits, by their names in the specification, relaxed SIMD included.

const vector = (opcode: number): readonly number[] => prefixed(VECTOR, opcode);

export const v128 = {
  const: (shape: "i32x4" | "f32x4", values: readonly number[]): PlainInstruction<"v128"> =>
    instruction({ name: "v128.const", opcode: vector(0x0c), takes: [], gives: "v128" }, [], {
      kind: "vector",
      shape,
      values: values.map(shape === "f32x4" ? Math.fround : (value) => value | 0),
    }),
  load: load("v128.load", vector(0x00), "v128", 16),
  /** One number four times. */
  load32_splat: load("v128.load32_splat", vector(0x09), "v128", 4),
  /** A vector with one lane from memory. */
  load32_lane: (lane: number, at: Integer, into: Operand<"v128">, offset = 0): Value<"v128"> =>
    instruction(
      { name: "v128.load32_lane", opcode: vector(0x56), takes: ["i32", "v128"], gives: "v128" },
      [at, into],
      address(4, offset),
      { kind: "lanes", lanes: [lane] },
    ),
  store: store("v128.store", vector(0x0b), "v128", 16),
  ...family("v128", ["v128"], "v128", { not: vector(0x4d) }),
  ...family("v128", ["v128", "v128"], "v128", { and: vector(0x4e), or: vector(0x50), xor: vector(0x51) }),
  /** Bits of the first where the third has ones, else of the second. */
  ...family("v128", ["v128", "v128", "v128"], "v128", { bitselect: vector(0x52) }),
};

export const i8x16 = {
  /** Bytes of two vectors one after another, by their places among the 32. */
  shuffle: (lanes: readonly number[], a: Operand<"v128">, b: Operand<"v128">): Value<"v128"> =>
    instruction({ name: "i8x16.shuffle", opcode: vector(0x0d), takes: ["v128", "v128"], gives: "v128" }, [a, b], {
      kind: "lanes",
      lanes,
    }),
};

function lanesOf<T extends "i32" | "f32">(type: T, extract: number, replace: number) {
  const extracts = { name: `${type}x4.extract_lane`, opcode: vector(extract), takes: ["v128"], gives: type } as const;
  const replaces = {
    name: `${type}x4.replace_lane`,
    opcode: vector(replace),
    takes: ["v128", type],
    gives: "v128",
  } as const;
  return {
    extract_lane: (lane: number, from: Operand<"v128">): Value<T> =>
      instruction(extracts, [from], { kind: "lanes", lanes: [lane] }),
    replace_lane: (lane: number, into: Operand<"v128">, value: Operand<T>): Value<"v128"> =>
      instruction(replaces, [into, value], { kind: "lanes", lanes: [lane] }),
  };
}

/** Comparisons give lanes of ones or of zeros. */
export const i32x4 = {
  ...lanesOf("i32", 0x1b, 0x1c),
  ...family("i32x4", ["i32"], "v128", { splat: vector(0x11) }),
  ...family("i32x4", ["v128", "v128"], "v128", {
    eq: vector(0x37),
    ne: vector(0x38),
    lt_s: vector(0x39),
    lt_u: vector(0x3a),
    gt_s: vector(0x3b),
    gt_u: vector(0x3c),
    le_s: vector(0x3d),
    le_u: vector(0x3e),
    ge_s: vector(0x3f),
    ge_u: vector(0x40),
    add: vector(0xae),
    sub: vector(0xb1),
    mul: vector(0xb5),
    min_s: vector(0xb6),
    min_u: vector(0xb7),
    max_s: vector(0xb8),
    max_u: vector(0xb9),
  }),
  ...family("i32x4", ["v128"], "v128", {
    abs: vector(0xa0),
    trunc_sat_f32x4_s: vector(0xf8),
    trunc_sat_f32x4_u: vector(0xf9),
  }),
  ...family("i32x4", ["v128", "i32"], "v128", { shl: vector(0xab), shr_s: vector(0xac), shr_u: vector(0xad) }),
};

export const f32x4 = {
  ...lanesOf("f32", 0x1f, 0x20),
  ...family("f32x4", ["f32"], "v128", { splat: vector(0x13) }),
  ...family("f32x4", ["v128", "v128"], "v128", {
    eq: vector(0x41),
    ne: vector(0x42),
    lt: vector(0x43),
    gt: vector(0x44),
    le: vector(0x45),
    ge: vector(0x46),
    add: vector(0xe4),
    sub: vector(0xe5),
    mul: vector(0xe6),
    div: vector(0xe7),
    min: vector(0xe8),
    max: vector(0xe9),
    pmin: vector(0xea),
    pmax: vector(0xeb),
  }),
  ...family("f32x4", ["v128"], "v128", {
    floor: vector(0x68),
    nearest: vector(0x6a),
    abs: vector(0xe0),
    neg: vector(0xe1),
    sqrt: vector(0xe3),
    convert_i32x4_s: vector(0xfa),
    convert_i32x4_u: vector(0xfb),
  }),
  /** a * b + c, rounded once or twice. */
  ...family("f32x4", ["v128", "v128", "v128"], "v128", { relaxed_madd: vector(0x105) }),
};
