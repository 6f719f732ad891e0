import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./float16.ts";
import type { Shape } from "./shape.ts";

/** What a variable's values take in memory; computed with they are f32. */
export type StorageDtype = "f32" | HalfDtype;
export type HalfDtype = "f16" | "bf16";

export const storageDtypes: readonly StorageDtype[] = ["f32", "f16", "bf16"];

/**
 * The shape of the words that hold two values each: value i of the first half of a tensor in the lower bits, and value i of
 * the second half in the upper ones. Undefined for what is not worth it, such as biases, or has no two halves.
 */
export function packedShape(shape: Shape): Shape | undefined {
  return shape.length >= 2 && shape[0] % 2 === 0 ? [shape[0] / 2, ...shape.slice(1)] : undefined;
}

/** @throws one line if f16 cannot hold a value */
export function packHalves(
  name: string,
  dtype: HalfDtype,
  values: Float32Array<ArrayBuffer>,
): Uint32Array<ArrayBuffer> {
  return packBits(name, dtype, dtype === "f16" ? encodeFloat16(values) : encodeBfloat16(values));
}

/** @param bits of each value, as in a file */
export function packBits(name: string, dtype: HalfDtype, bits: Uint16Array): Uint32Array<ArrayBuffer> {
  if (dtype === "f16" && bits.some((half) => (half & 0x7c00) === 0x7c00)) {
    throw new Error(`variable ${name}: f16 holds numbers up to 65504, got others: take bf16 or f32`);
  }
  const half = bits.length / 2;
  const words = new Uint32Array(half);
  for (let i = 0; i < half; i++) words[i] = bits[i] | (bits[i + half] << 16);
  return words;
}

export function unpackHalves(dtype: HalfDtype, words: Uint32Array): Float32Array<ArrayBuffer> {
  const bits = new Uint16Array(2 * words.length);
  words.forEach((word, i) => {
    bits[i] = word & 0xffff;
    bits[i + words.length] = word >>> 16;
  });
  return dtype === "f16" ? decodeFloat16(bits) : decodeBfloat16(bits);
}
