import { allocate } from "../../tensor/dtype.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Collective } from "./collective.ts";

/** The rows of all ranks in their order, where each has as many. Whole numbers stay exact. */
export async function gatherRows(collective: Collective, { data, shape, dtype }: NdArray): Promise<NdArray> {
  const { rank, size } = collective;
  const all = new Float64Array(size * data.length);
  all.set(data, rank * data.length);
  await collective.allReduce(all);
  const values = allocate(dtype, all.length);
  values.set(all);
  return ndarray(values, [size * shape[0], ...shape.slice(1)], dtype);
}
