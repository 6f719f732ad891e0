import { toFloat32 } from "../../io/safetensors/safetensors.ts";
import type { Safetensors } from "../../io/safetensors/safetensors.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

/**
 * The tensors of a file as float32, whatever they are there.
 *
 * @param source name of the file for messages
 */
export function stateFromFile({ tensors }: Safetensors, source: string): Map<string, NdArray> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      try {
        return [name, ndarray(toFloat32(tensor), tensor.shape)];
      } catch (error) {
        throw new Error(`${source}: tensor ${name}: must be numbers, got ${tensor.dtype}`, { cause: error });
      }
    }),
  );
}
