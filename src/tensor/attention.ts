import type { OpOf } from "./op.ts";
import { composeSoftmax } from "./composites.ts";
import { Tensor, dotGeneral } from "./tensor.ts";

/** The ops that are defined by what they are composed of. Queries, keys and values are [batch, tokens, heads, channels]. */
export type AttentionOp = OpOf<"attention" | "attention_logsumexp" | "attention_gradient">;

/** What masked similarities are: their exponential is 0. */
const MASKED = -1e9;

const perHead = { lhsBatch: [0, 2], rhsBatch: [0, 2], lhsContract: [3], rhsContract: [3] };

/** Each query's similarity to each key as a distribution over the keys, [batch, heads, queries, keys]. */
function weightsOf(q: Tensor, k: Tensor, scale: number, mask?: Tensor): Tensor {
  const similarity = dotGeneral(q.multiply(scale), k, perHead);
  const [batch, keys] = k.shape;
  return composeSoftmax(mask ? mask.reshape([batch, 1, 1, keys]).select(similarity, MASKED) : similarity, 3);
}

/** Sums of values by a distribution over the keys for each query: [batch, queries, heads, channels]. */
function overKeys(weights: Tensor, values: Tensor): Tensor {
  const sums = dotGeneral(weights, values, { lhsBatch: [0, 1], rhsBatch: [0, 2], lhsContract: [3], rhsContract: [1] });
  return sums.transpose([0, 2, 1, 3]);
}

/** The same over the queries, for each key. */
function overQueries(weights: Tensor, values: Tensor): Tensor {
  const sums = dotGeneral(weights, values, { lhsBatch: [0, 1], rhsBatch: [0, 2], lhsContract: [2], rhsContract: [1] });
  return sums.transpose([0, 2, 1, 3]);
}

/**
 * softmax(scale q k^T) v per head where only some keys are looked at.
 *
 * @param mask bool [batch, keys]
 */
export function maskedAttention(q: Tensor, k: Tensor, v: Tensor, scale: number, mask: Tensor): Tensor {
  return overKeys(weightsOf(q, k, scale, mask), v);
}

/**
 * An op of attention as its composition. The gradients take the weights from q and k: what is given as the logarithm of
 * the sum of exponentials has to be theirs.
 */
export function composeAttention(op: AttentionOp, inputs: readonly Tensor[]): Tensor {
  const [q, k, v, cotangent, , delta] = inputs;
  switch (op.kind) {
    case "attention":
      return overKeys(weightsOf(q, k, op.scale), v);
    case "attention_logsumexp": {
      const similarity = dotGeneral(q.multiply(op.scale), k, perHead);
      const most = similarity.max(-1, true).stopGradient();
      const sum = similarity.subtract(most).exp().sum(-1, true);
      return sum.log().add(most).reshape(most.shape.slice(0, 3)).transpose([0, 2, 1]);
    }
    case "attention_gradient": {
      const weights = weightsOf(q, k, op.scale);
      if (op.of === "value") return overQueries(weights, cotangent);
      // Of softmax: w (g - sum(w g)), where the sum is that of the cotangent with the result.
      const byWeights = dotGeneral(cotangent, v, perHead);
      const [batch, heads, queries] = byWeights.shape;
      const mean = delta.transpose([0, 2, 1]).reshape([batch, heads, queries, 1]);
      const bySimilarity = weights.multiply(byWeights.subtract(mean));
      return op.of === "query"
        ? overKeys(bySimilarity, k.multiply(op.scale))
        : overQueries(bySimilarity, q.multiply(op.scale));
    }
  }
}

/** softmax(scale q k^T) v per head (Vaswani et al. 2017, 1706.03762): [batch, queries, heads, channels of v]. */
export function attention(q: Tensor, k: Tensor, v: Tensor, scale: number): Tensor {
  return new Tensor({ kind: "attention", scale }, [q, k, v]);
}

/**
 * Cotangents of q, k and v. Beside those it takes the logarithm of each query's sum of exponentials, from which kernels
 * find the weights again, as in FlashAttention-2 (Dao 2023, 2307.08691, algorithm 2).
 */
export function attentionGradients(result: Tensor, cotangent: Tensor, scale: number): Tensor[] {
  const [q, k, v] = result.inputs;
  const logsumexp = new Tensor({ kind: "attention_logsumexp", scale }, [q, k]);
  const delta = cotangent.multiply(result).sum(-1);
  const of = (operand: OpOf<"attention_gradient">["of"]): Tensor =>
    new Tensor({ kind: "attention_gradient", of: operand, scale }, [q, k, v, cotangent, logsumexp, delta]);
  return [of("query"), of("key"), of("value")];
}

/** Cotangents of q and k, given that of the logarithm of the sum of exponentials. */
export function logsumexpGradients(result: Tensor, cotangent: Tensor, scale: number): Tensor[] {
  const [q, k] = result.inputs;
  const spread = cotangent.multiply(scale).reshape([...cotangent.shape, 1]);
  const byKey = new Tensor({ kind: "attention_gradient", of: "value", scale }, [
    q,
    k,
    k,
    spread.multiply(q),
    result,
    cotangent,
  ]);
  return [spread.multiply(attention(q, k, k, scale)), byKey];
}
