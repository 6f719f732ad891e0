import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { Tensor, literal } from "../../src/tensor/tensor.ts";
import type { DType } from "../../src/tensor/dtype.ts";

/** Values as a tensor. */
export function tensorOf(values: readonly number[], shape: Shape = [values.length], dtype?: DType): Tensor {
  return literal(ndarray(values, shape, dtype));
}

/** What tensors without inputs hold, by the reference backend. */
export async function arraysOf(tensors: readonly Tensor[]): Promise<NdArray[]> {
  const program = await ReferenceBackend.create().load({ inputs: [], outputs: tensors, updates: [] });
  return program.run([]);
}

export async function valuesOf(tensor: Tensor): Promise<number[]> {
  const [{ data }] = await arraysOf([tensor]);
  return Array.from(data);
}

/** A function of arrays that runs on the reference backend, traced once for arrays like the given ones. */
export async function program(
  like: readonly NdArray[],
  build: (inputs: readonly Tensor[]) => readonly Tensor[],
): Promise<(inputs: readonly NdArray[]) => Promise<NdArray[]>> {
  const inputs = like.map(({ shape, dtype }, index) => new Tensor({ kind: "input", index, shape, dtype }));
  const executable = await ReferenceBackend.create().load({ inputs, outputs: build(inputs), updates: [] });
  return (arrays) => executable.run(arrays);
}
