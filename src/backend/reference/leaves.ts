import { allocate } from "../../tensor/dtype.ts";
import { sizeOf, stridesOf } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";

/** Values that the graph itself holds. */
export const leaves: Meanings<"constant" | "literal" | "iota"> = {
  constant: (op) => allocate(op.dtype, 1).fill(op.value),
  literal: (op) => op.data,
  iota: (op) => {
    const data = allocate(op.dtype, sizeOf(op.shape));
    const stride = stridesOf(op.shape)[op.axis];
    for (let i = 0; i < data.length; i++) data[i] = Math.floor(i / stride) % op.shape[op.axis];
    return data;
  },
};
