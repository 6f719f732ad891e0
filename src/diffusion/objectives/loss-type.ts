import { huber } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * l1: mean absolute error. l2: mean squared error. huber: half the square below 1, linear above (smooth L1). vlb: the
 * variational bound, L_vlb of Nichol & Dhariwal (2021, 2102.09672) in bits per dimension.
 */
export type LossType = "l1" | "l2" | "huber" | "vlb";

export const lossTypes: readonly [LossType, ...LossType[]] = ["l1", "l2", "huber", "vlb"];

/** What a difference from the target counts, value by value. */
export const errors: Readonly<Record<Exclude<LossType, "vlb">, (difference: Tensor) => Tensor>> = {
  l1: (difference) => difference.abs(),
  l2: (difference) => difference.square(),
  huber,
};
