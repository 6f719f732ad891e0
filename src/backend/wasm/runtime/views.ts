import type { DType, TypedArray } from "../../../tensor/dtype.ts";

/** A part of a memory as numbers. Views do not outlive a growth of the memory: each is made for one use. */
export function viewOf(memory: WebAssembly.Memory, dtype: DType, address: number, length: number): TypedArray {
  const { buffer } = memory;
  if (dtype === "f32") return new Float32Array(buffer, address, length);
  return dtype === "u32" ? new Uint32Array(buffer, address, length) : new Int32Array(buffer, address, length);
}

/** A copy that belongs to the caller. */
export function copyOf(memory: WebAssembly.Memory, dtype: DType, address: number, length: number): TypedArray {
  // slice() of a view of shared memory allocates memory of its own.
  return viewOf(memory, dtype, address, length).slice();
}
