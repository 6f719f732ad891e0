import { full } from "../tensor.ts";
import type { Tensor } from "../tensor.ts";

/** Halvings of the interval that holds the value: what is left is below the spacing of float32 at the largest value. */
const HALVINGS = 30;

/** The largest float32. Not Infinity: shaders have no such literal. */
const LARGEST = 2 ** 128 - 2 ** 104;

/**
 * The value that a share of each row's values do not exceed, between two of them by linear interpolation, as `torch.quantile`
 * has it. Found by halving the interval between least and largest value, without sorting.
 *
 * @param x [rows, values]
 * @param ratio 0 to 1
 * @returns [rows]
 */
export function quantile(x: Tensor, ratio: number): Tensor {
  const [rows, count] = x.shape;
  const place = ratio * (count - 1);
  const rank = Math.floor(place);
  const notAbove = (limit: Tensor): Tensor => x.compare("le", limit.broadcastTo(x.shape)).convert("f32").sum(1, true);
  const above = (limit: Tensor): Tensor => x.compare("gt", limit.broadcastTo(x.shape)).select(x, LARGEST).min(1, true);

  let [low, high] = [x.min(1, true), x.max(1, true)];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = low.add(high).multiply(0.5);
    const isBelow = notAbove(middle).compare("le", rank);
    [low, high] = [isBelow.select(middle, low), isBelow.select(high, middle)];
  }
  const here = notAbove(low).compare("gt", rank).select(low, above(low));
  if (place === rank) return here.reshape([rows]);
  const next = notAbove(here)
    .compare("gt", rank + 1)
    .select(here, above(here));
  return here.add(next.subtract(here).multiply(full([rows, 1], place - rank))).reshape([rows]);
}
