import { compile } from "../../src/backend/compile.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const backend = ReferenceBackend.create();

/** What a function of tensors gives for these arrays, by the reference backend. */
export async function evaluate(fn: (...inputs: Tensor[]) => Tensor, ...inputs: readonly NdArray[]): Promise<NdArray> {
  const names = inputs.map((_, i) => `input ${i}`);
  const program = compile(backend, (tensors) => ({ outputs: { y: fn(...names.map((name) => tensors[name])) } }));
  const { y } = await program(Object.fromEntries(names.map((name, i) => [name, inputs[i]])));
  program.dispose();
  return y;
}

/** The largest absolute difference of two lists of one length. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values and ${b.length} cannot be compared`);
  return Array.from(a, (value, i) => Math.abs(value - b[i])).reduce((most, value) => Math.max(most, value), 0);
}
