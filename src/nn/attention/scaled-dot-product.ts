import { attention, maskedAttention } from "../../tensor/attention.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * softmax(q k^T / sqrt(dimHead)) v per head (Vaswani et al. 2017, 1706.03762). q is [batch, tokens, heads, dimHead], k and
 * v have a length of their own. Without a mask, devices keep no similarities where there are many keys.
 *
 * @param mask bool [batch, length]: false where a key is not looked at
 * @returns [batch, heads, tokens, dimHead]
 */
export function scaledDotProduct(q: Tensor, k: Tensor, v: Tensor, mask?: Tensor): Tensor {
  const scale = q.shape[3] ** -0.5;
  const byToken = mask ? maskedAttention(q, k, v, scale, mask) : attention(q, k, v, scale);
  return byToken.transpose([0, 2, 1, 3]);
}

/** [batch, heads, tokens, dimHead] to [batch, tokens, heads * dimHead] */
export function mergeHeads(out: Tensor): Tensor {
  const [batch, heads, tokens, dimHead] = out.shape;
  return out.transpose([0, 2, 1, 3]).reshape([batch, tokens, heads * dimHead]);
}
