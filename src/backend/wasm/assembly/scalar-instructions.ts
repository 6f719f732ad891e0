import { instruction } from "./instruction.ts";
import type { Integer, Operand, PlainInstruction, Value } from "./instruction.ts";
import { ATOMIC, MISCELLANEOUS, address, constant, family, load, prefixed, store } from "./instruction-family.ts";

// Instructions on numbers and on memory, by their names in the specification (https://webassembly.github.io/spec/core/).

export const i32 = {
  const: constant("i32"),
  load: load("i32.load", [0x28], "i32", 4),
  store: store("i32.store", [0x36], "i32", 4),
  ...family("i32", ["i32"], "i32", { eqz: [0x45] }),
  ...family("i32", ["i32", "i32"], "i32", {
    eq: [0x46],
    ne: [0x47],
    lt_s: [0x48],
    lt_u: [0x49],
    gt_s: [0x4a],
    gt_u: [0x4b],
    le_s: [0x4c],
    le_u: [0x4d],
    ge_s: [0x4e],
    ge_u: [0x4f],
    add: [0x6a],
    sub: [0x6b],
    mul: [0x6c],
    div_u: [0x6e],
    rem_u: [0x70],
    and: [0x71],
    or: [0x72],
    xor: [0x73],
    shl: [0x74],
    shr_s: [0x75],
    shr_u: [0x76],
  }),
  ...family("i32", ["f32"], "i32", {
    reinterpret_f32: [0xbc],
    trunc_sat_f32_s: prefixed(MISCELLANEOUS, 0),
    trunc_sat_f32_u: prefixed(MISCELLANEOUS, 1),
  }),
  atomic: {
    load: load("i32.atomic.load", prefixed(ATOMIC, 0x10), "i32", 4),
    store: store("i32.atomic.store", prefixed(ATOMIC, 0x17), "i32", 4),
    rmw: {
      /** Adds to memory; gives what was there. */
      add: (at: Integer, value: Integer, offset = 0): Value<"i32"> =>
        instruction(
          { name: "i32.atomic.rmw.add", opcode: prefixed(ATOMIC, 0x1e), takes: ["i32", "i32"], gives: "i32" },
          [at, value],
          address(4, offset),
        ),
    },
  },
};

export const f32 = {
  const: constant("f32"),
  load: load("f32.load", [0x2a], "f32", 4),
  store: store("f32.store", [0x38], "f32", 4),
  ...family("f32", ["f32", "f32"], "i32", {
    eq: [0x5b],
    ne: [0x5c],
    lt: [0x5d],
    gt: [0x5e],
    le: [0x5f],
    ge: [0x60],
  }),
  ...family("f32", ["f32"], "f32", { abs: [0x8b], neg: [0x8c], floor: [0x8e], nearest: [0x90], sqrt: [0x91] }),
  ...family("f32", ["f32", "f32"], "f32", {
    add: [0x92],
    sub: [0x93],
    mul: [0x94],
    div: [0x95],
    min: [0x96],
    max: [0x97],
  }),
  ...family("f32", ["i32"], "f32", { convert_i32_s: [0xb2], convert_i32_u: [0xb3], reinterpret_i32: [0xbe] }),
  ...family("f32", ["f64"], "f32", { demote_f64: [0xb6] }),
};

export const f64 = family("f64", ["f32"], "f64", { promote_f32: [0xbb] });

export const memory = {
  fill: (to: Integer, byte: Integer, bytes: Integer): PlainInstruction<undefined> =>
    instruction(
      { name: "memory.fill", opcode: prefixed(MISCELLANEOUS, 11), takes: ["i32", "i32", "i32"], gives: undefined },
      [to, byte, bytes],
      { kind: "memory" },
    ),
  atomic: {
    /** Wakes up threads that wait there; gives how many. */
    notify: (at: Integer, most: Integer): Value<"i32"> =>
      instruction(
        { name: "memory.atomic.notify", opcode: prefixed(ATOMIC, 0), takes: ["i32", "i32"], gives: "i32" },
        [at, most],
        address(4, 0),
      ),
    /** Sleeps while memory holds what is expected, for some nanoseconds at most. */
    wait32: (at: Integer, expected: Integer, timeout: Operand<"i64">): Value<"i32"> =>
      instruction(
        { name: "memory.atomic.wait32", opcode: prefixed(ATOMIC, 1), takes: ["i32", "i32", "i64"], gives: "i32" },
        [at, expected, timeout],
        address(4, 0),
      ),
  },
};
