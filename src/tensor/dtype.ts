/** Element types of a tensor. A bool holds 0 or 1. */
export type DType = "f32" | "i32" | "u32" | "bool";

/** Host storage of a tensor: bools take one 32-bit word each, as on the devices. */
export type TypedArray = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export function allocate(dtype: DType, length: number): TypedArray {
  if (dtype === "f32") return new Float32Array(length);
  return dtype === "u32" ? new Uint32Array(length) : new Int32Array(length);
}

/** Rounds or wraps a JavaScript number to a value that the dtype can hold. */
export function castTo(dtype: DType, value: number): number {
  switch (dtype) {
    case "f32":
      return Math.fround(value);
    case "i32":
      return value | 0;
    case "u32":
      return value >>> 0;
    case "bool":
      return value === 0 ? 0 : 1;
  }
}

export function isInteger(dtype: DType): boolean {
  return dtype === "i32" || dtype === "u32";
}
