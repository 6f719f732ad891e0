import { softmax } from "../../tensor/functions/functions.ts";
import { dotGeneral } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Similarity to what is not looked at: its exponential is 0. */
const MASKED = -1e9;

/**
 * softmax(q k^T / sqrt(dimHead)) v per head (Vaswani et al. 2017, 1706.03762). q is [batch, tokens, heads, dimHead], k and
 * v have a length of their own.
 *
 * @param mask bool [batch, length]: false where a key is not looked at
 * @returns [batch, heads, tokens, dimHead]
 */
export function scaledDotProduct(q: Tensor, k: Tensor, v: Tensor, mask?: Tensor): Tensor {
  const dimHead = q.shape[3];
  const similarity = dotGeneral(q.multiply(dimHead ** -0.5), k, {
    lhsBatch: [0, 2],
    rhsBatch: [0, 2],
    lhsContract: [3],
    rhsContract: [3],
  });
  const [batch, length] = k.shape;
  const seen = mask ? mask.reshape([batch, 1, 1, length]).select(similarity, MASKED) : similarity;
  return dotGeneral(softmax(seen), v, { lhsBatch: [0, 1], rhsBatch: [0, 2], lhsContract: [3], rhsContract: [1] });
}

/** [batch, heads, tokens, dimHead] to [batch, tokens, heads * dimHead] */
export function mergeHeads(out: Tensor): Tensor {
  const [batch, heads, tokens, dimHead] = out.shape;
  return out.transpose([0, 2, 1, 3]).reshape([batch, tokens, heads * dimHead]);
}
