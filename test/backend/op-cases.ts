import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { OpKind } from "../../src/tensor/op.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";
import { attentionCases } from "./attention-cases.ts";
import { compositeCases } from "./composite-cases.ts";
import { contractionCases } from "./contraction-cases.ts";
import { elementwiseCases } from "./elementwise-cases.ts";
import { movementCases } from "./movement-cases.ts";

/** How near a result must be to the reference. */
export type Precision =
  | "exact" // the same number
  | "arithmetic" // correctly rounded on most devices
  | "transcendental" // relative to the value
  | "product" // of matrices or images, relative to the sum of the factors' magnitudes
  | "sum"; // relative to the sum of the summands' magnitudes

export interface OpCase {
  readonly inputs: readonly NdArray[];
  readonly build: (inputs: readonly Tensor[]) => Tensor;
  /** Where it is not that of the op's other cases. */
  readonly precision?: Precision;
  /** A tensor of the result's shape: the size that an error is relative to, where that is not the result's own. */
  readonly magnitude?: (inputs: readonly Tensor[]) => Tensor;
}

export interface OpCases {
  readonly precision: Precision;
  /** How many random cases to draw. */
  readonly count: number;
  readonly draw: (random: Random) => OpCase;
  /** Cases that are always run. */
  readonly pinned?: readonly ((random: Random) => OpCase)[];
}

/** Cases of every op of the language. */
export const opCases: { readonly [K in OpKind]: OpCases } = {
  ...elementwiseCases,
  ...movementCases,
  ...contractionCases,
  ...attentionCases,
  ...compositeCases,
};
