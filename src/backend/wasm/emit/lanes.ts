import type { DType } from "../../../tensor/dtype.ts";
import type { Code, FunctionWriter, ValueType } from "./writer.ts";
import { get } from "./writer.ts";

/** A decimal or hexadecimal literal that WAT reads back exactly. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(Math.fround(value));
}

/**
 * How to compute on one element or on four: the same formulas serve both. Floats and integers are told apart
 * by the method; a condition is 0 or 1 in scalar code and a mask of ones in vector code.
 */
export class Lanes {
  readonly width: 1 | 4;
  readonly type: { readonly [K in DType]: ValueType };
  readonly #writer: FunctionWriter;
  readonly #float: string;
  readonly #integer: string;

  constructor(writer: FunctionWriter, width: 1 | 4) {
    this.#writer = writer;
    this.width = width;
    this.#float = width === 4 ? "f32x4" : "f32";
    this.#integer = width === 4 ? "i32x4" : "i32";
    this.type =
      width === 4
        ? { f32: "v128", i32: "v128", u32: "v128", bool: "v128" }
        : { f32: "f32", i32: "i32", u32: "i32", bool: "i32" };
  }

  get isVector(): boolean {
    return this.width === 4;
  }

  /** Keeps a value for several uses. */
  let(dtype: DType, value: Code): Code {
    return get(this.#writer.bind(this.type[dtype], value));
  }

  f(op: string, ...args: Code[]): Code {
    return `(${this.#float}.${op} ${args.join(" ")})`;
  }

  i(op: string, ...args: Code[]): Code {
    return `(${this.#integer}.${op} ${args.join(" ")})`;
  }

  /** Bitwise ops, on integers and conditions. */
  bits(op: "and" | "or" | "xor", a: Code, b: Code): Code {
    return `(${this.isVector ? "v128" : "i32"}.${op} ${a} ${b})`;
  }

  float(value: number): Code {
    const text = floatText(value);
    return this.isVector
      ? this.#writer.constant(`(v128.const f32x4 ${text} ${text} ${text} ${text})`)
      : `(f32.const ${text})`;
  }

  integer(value: number): Code {
    const word = value | 0;
    return this.isVector
      ? this.#writer.constant(`(v128.const i32x4 ${word} ${word} ${word} ${word})`)
      : `(i32.const ${word})`;
  }

  condition(value: boolean): Code {
    return this.integer(value ? (this.isVector ? -1 : 1) : 0);
  }

  select(condition: Code, onTrue: Code, onFalse: Code): Code {
    return this.isVector
      ? `(v128.bitselect ${onTrue} ${onFalse} ${condition})`
      : `(select ${onTrue} ${onFalse} ${condition})`;
  }

  not(condition: Code): Code {
    return this.isVector ? `(v128.not ${condition})` : `(i32.eqz ${condition})`;
  }

  shift(op: "shl" | "shr_u" | "shr_s", value: Code, bits: number): Code {
    return `(${this.#integer}.${op} ${value} (i32.const ${bits}))`;
  }

  asInteger(value: Code): Code {
    return this.isVector ? value : `(i32.reinterpret_f32 ${value})`;
  }

  asFloat(value: Code): Code {
    return this.isVector ? value : `(f32.reinterpret_i32 ${value})`;
  }

  /** Truncates; NaN gives 0 and what does not fit the nearest that does. */
  truncate(value: Code, sign: "s" | "u" = "s"): Code {
    return this.isVector ? `(i32x4.trunc_sat_f32x4_${sign} ${value})` : `(i32.trunc_sat_f32_${sign} ${value})`;
  }

  toFloat(value: Code, sign: "s" | "u" = "s"): Code {
    return this.isVector ? `(f32x4.convert_i32x4_${sign} ${value})` : `(f32.convert_i32_${sign} ${value})`;
  }

  /** min that keeps a NaN in its first operand, and costs one instruction where x64's min fits. */
  lesser(x: Code, bound: Code): Code {
    return this.isVector ? `(f32x4.pmin ${x} ${bound})` : `(f32.min ${x} ${bound})`;
  }

  greater(x: Code, bound: Code): Code {
    return this.isVector ? `(f32x4.pmax ${x} ${bound})` : `(f32.max ${x} ${bound})`;
  }

  splat(dtype: DType, scalar: Code): Code {
    if (!this.isVector) return scalar;
    return dtype === "f32" ? `(f32x4.splat ${scalar})` : `(i32x4.splat ${scalar})`;
  }

  /** A 0/1 word in memory to a condition, and back. */
  fromWord(word: Code): Code {
    return this.isVector ? `(i32x4.ne ${word} ${this.integer(0)})` : word;
  }

  toWord(condition: Code): Code {
    return this.isVector ? `(v128.and ${condition} ${this.integer(1)})` : condition;
  }
}
