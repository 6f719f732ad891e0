import { huber } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** What a difference from the target counts, value by value: a row for each loss. */
export const errors = {
  /** Mean absolute error. */
  l1: (difference: Tensor): Tensor => difference.abs(),
  /** Mean squared error. */
  l2: (difference: Tensor): Tensor => difference.square(),
  /** Half the square below 1, linear above (smooth L1). */
  huber,
};

/** A row of {@link errors}, or vlb: the variational bound, L_vlb of Nichol & Dhariwal (2021, 2102.09672) in bits per dimension. */
export type LossType = keyof typeof errors | "vlb";

export const lossTypes = [...Object.keys(errors), "vlb"] as unknown as readonly [LossType, ...LossType[]];
