import type { DType } from "./dtype.ts";
import type { Reduction } from "./op.ts";

/** What a reduction starts from, and gives of no elements at all. */
export function identityOf(reduction: Reduction, dtype: DType): number {
  if (reduction === "sum") return 0;
  if (dtype === "f32") return reduction === "max" ? -Infinity : Infinity;
  if (dtype === "u32") return reduction === "max" ? 0 : 2 ** 32 - 1;
  return reduction === "max" ? -(2 ** 31) : 2 ** 31 - 1;
}
