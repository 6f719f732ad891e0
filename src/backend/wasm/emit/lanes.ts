import type { DType } from "../../../tensor/dtype.ts";
import { select } from "../assembly/control-instructions.ts";
import type { FunctionBuilder } from "../assembly/function-builder.ts";
import type { Computed, Integer, Local, Operand, Value, ValueType } from "../assembly/instruction.ts";
import { f32, i32 } from "../assembly/scalar-instructions.ts";
import { f32x4, i32x4, v128 } from "../assembly/vector-instructions.ts";

/** Instructions that both forms have. */
export type FloatOperation = keyof typeof f32 & keyof typeof f32x4;
export type IntegerOperation = keyof typeof i32 & keyof typeof i32x4;

/** An instruction whose types follow from the width, which is known when code is written: it checks its operands. */
type Operation = (...operands: readonly Operand[]) => Value;

export type Vector = Computed<"v128">;

/**
 * How to compute on one element or on four: the same formulas serve both. Floats and integers are told apart
 * by the method; a condition is 0 or 1 in scalar code and a mask of ones in vector code.
 */
export class Lanes {
  readonly width: 1 | 4;
  readonly type: { readonly [K in DType]: ValueType };
  readonly #builder: FunctionBuilder;

  constructor(builder: FunctionBuilder, width: 1 | 4) {
    this.#builder = builder;
    this.width = width;
    this.type =
      width === 4
        ? { f32: "v128", i32: "v128", u32: "v128", bool: "v128" }
        : { f32: "f32", i32: "i32", u32: "i32", bool: "i32" };
  }

  get isVector(): boolean {
    return this.width === 4;
  }

  /** Keeps a value for several uses. */
  let(value: Computed): Local {
    return this.#builder.keep(value);
  }

  f(operation: FloatOperation, ...operands: readonly Operand[]): Value {
    return ((this.isVector ? f32x4 : f32)[operation] as Operation)(...operands);
  }

  i(operation: IntegerOperation, ...operands: readonly Operand[]): Value {
    return ((this.isVector ? i32x4 : i32)[operation] as Operation)(...operands);
  }

  /** Bitwise ops, on integers and conditions. */
  bits(operation: "and" | "or" | "xor", a: Computed, b: Computed): Value {
    return ((this.isVector ? v128 : i32)[operation] as Operation)(a, b);
  }

  float(value: number): Computed {
    return this.isVector ? this.#builder.constant(v128.const("f32x4", [value, value, value, value])) : f32.const(value);
  }

  integer(value: number): Computed {
    return this.isVector
      ? this.#builder.constant(v128.const("i32x4", [value, value, value, value]))
      : i32.const(value | 0);
  }

  condition(value: boolean): Computed {
    return this.integer(value ? (this.isVector ? -1 : 1) : 0);
  }

  select(condition: Computed, onTrue: Computed, onFalse: Computed): Value {
    if (this.isVector) return v128.bitselect(onTrue as Vector, onFalse as Vector, condition as Vector);
    return select(onTrue.type, onTrue, onFalse, condition as Integer);
  }

  shift(operation: "shl" | "shr_u" | "shr_s", value: Computed, bits: number): Value {
    return this.i(operation, value, bits);
  }

  asInteger(value: Computed): Computed {
    return this.isVector ? value : i32.reinterpret_f32(value as Computed<"f32">);
  }

  asFloat(value: Computed): Computed {
    return this.isVector ? value : f32.reinterpret_i32(value as Integer);
  }

  /** Truncates; NaN gives 0 and what does not fit the nearest that does. */
  truncate(value: Computed, sign: "s" | "u" = "s"): Value {
    if (this.isVector) return i32x4[`trunc_sat_f32x4_${sign}`](value as Vector);
    return i32[`trunc_sat_f32_${sign}`](value as Computed<"f32">);
  }

  toFloat(value: Computed, sign: "s" | "u" = "s"): Value {
    if (this.isVector) return f32x4[`convert_i32x4_${sign}`](value as Vector);
    return f32[`convert_i32_${sign}`](value as Integer);
  }

  /** min that keeps a NaN in its first operand, and costs one instruction where x64's min fits. */
  lesser(x: Computed, bound: Computed): Value {
    return this.isVector ? f32x4.pmin(x as Vector, bound as Vector) : this.f("min", x, bound);
  }

  greater(x: Computed, bound: Computed): Value {
    return this.isVector ? f32x4.pmax(x as Vector, bound as Vector) : this.f("max", x, bound);
  }

  splat(dtype: DType, scalar: Computed): Computed {
    if (!this.isVector) return scalar;
    return dtype === "f32" ? f32x4.splat(scalar as Computed<"f32">) : i32x4.splat(scalar as Integer);
  }

  /** A 0/1 word in memory to a condition, and back. */
  fromWord(word: Computed): Computed {
    return this.isVector ? this.i("ne", word, this.integer(0)) : word;
  }

  toWord(condition: Computed): Computed {
    return this.isVector ? this.bits("and", condition, this.integer(1)) : condition;
  }
}
