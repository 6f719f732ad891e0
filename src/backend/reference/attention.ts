import type { NdArray } from "../../tensor/ndarray.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";

/** [batch, tokens, heads, channels], or without channels one number for each. */
interface Heads {
  readonly tokens: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;
  /** Where a token's first channel is. */
  readonly at: (batch: number, token: number, head: number) => number;
}

function headsOf({ shape, data }: Pick<NdArray, "shape"> & { readonly data: ArrayLike<number> }): Heads {
  const [, tokens, heads, channels = 1] = shape;
  const at = (batch: number, token: number, head: number): number =>
    ((batch * tokens + token) * heads + head) * channels;
  return { tokens, channels, data, at };
}

/** Products of one token with every token of another: a number for each of those. */
function products(a: Heads, b: Heads, batch: number, head: number, token: number, factor = 1): Float64Array {
  const from = a.at(batch, token, head);
  const results = new Float64Array(b.tokens);
  for (let other = 0; other < b.tokens; other++) {
    const to = b.at(batch, other, head);
    let sum = 0;
    for (let c = 0; c < a.channels; c++) sum += a.data[from + c] * b.data[to + c];
    results[other] = factor * sum;
  }
  return results;
}

function logSumExp(values: Float64Array): number {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** Adds a token's channels, times a weight. */
function addToken(sums: Float64Array, to: number, weight: number, { channels, data }: Heads, from: number): void {
  for (let c = 0; c < channels; c++) sums[to + c] += weight * data[from + c];
}

/** Visits every query of every head. */
function forEachQuery(
  [batches, queries, heads]: readonly number[],
  visit: (batch: number, head: number, query: number) => void,
): void {
  for (let batch = 0; batch < batches; batch++)
    for (let head = 0; head < heads; head++) for (let query = 0; query < queries; query++) visit(batch, head, query);
}

/** What the language's attention.ts composes of other ops, query by query. */
export const attention: Meanings<"attention" | "attention_logsumexp" | "attention_gradient"> = {
  attention: ({ scale }, inputs, { shape }) => {
    const [q, k, v] = inputs.map(headsOf);
    const sums = new Float64Array(sizeOf(shape));
    const out = headsOf({ shape, data: sums });
    forEachQuery(inputs[0].shape, (batch, head, query) => {
      const similarities = products(q, k, batch, head, query, scale);
      const total = logSumExp(similarities);
      const to = out.at(batch, query, head);
      similarities.forEach((similarity, key) =>
        addToken(sums, to, Math.exp(similarity - total), v, v.at(batch, key, head)),
      );
    });
    return new Float32Array(sums);
  },
  attention_logsumexp: ({ scale }, inputs, { shape }) => {
    const [q, k] = inputs.map(headsOf);
    const values = new Float32Array(sizeOf(shape));
    const out = headsOf({ shape, data: values });
    forEachQuery(shape, (batch, head, query) => {
      values[out.at(batch, query, head)] = logSumExp(products(q, k, batch, head, query, scale));
    });
    return values;
  },
  attention_gradient: ({ scale, of }, inputs, { shape }) => {
    const [q, k, v, cotangent, logsumexp, delta] = inputs.map(headsOf);
    const sums = new Float64Array(sizeOf(shape));
    const out = headsOf({ shape, data: sums });
    forEachQuery(inputs[0].shape, (batch, head, query) => {
      const ofQuery = logsumexp.at(batch, query, head);
      const byWeights = products(cotangent, v, batch, head, query);
      products(q, k, batch, head, query, scale).forEach((similarity, key) => {
        const weight = Math.exp(similarity - logsumexp.data[ofQuery]);
        const bySimilarity = scale * weight * (byWeights[key] - delta.data[ofQuery]);
        const [atQuery, atKey] = [q.at(batch, query, head), k.at(batch, key, head)];
        if (of === "query") addToken(sums, atQuery, bySimilarity, k, atKey);
        else if (of === "key") addToken(sums, atKey, bySimilarity, q, atQuery);
        else addToken(sums, out.at(batch, key, head), weight, cotangent, cotangent.at(batch, query, head));
      });
    });
    return new Float32Array(sums);
  },
};
