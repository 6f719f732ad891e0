import type { TypedArray } from "../../tensor/dtype.ts";
import type { TensorType } from "../../tensor/infer.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { OpKind, OpOf } from "../../tensor/op.ts";

/**
 * What an op computes: from its operands' values to its own, row-major. Arithmetic runs in float64 (integers
 * wrap), and writing to the result's array rounds it to the dtype. A meaning may return an operand's array but
 * never writes to one.
 */
export type Meaning<K extends OpKind> = (op: OpOf<K>, inputs: readonly NdArray[], result: TensorType) => TypedArray;

export type Meanings<K extends OpKind> = { readonly [Kind in K]: Meaning<Kind> };
