import type { NdArray } from "../../tensor/ndarray.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";

/** Rows of [batch, tokens, heads, channels] as [batch, heads, tokens]. */
class Heads {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;

  constructor({ shape, data }: Pick<NdArray, "shape"> & { readonly data: ArrayLike<number> }) {
    [this.batch, this.tokens, this.heads] = shape;
    this.channels = shape[3] ?? 1;
    this.data = data;
  }

  /** Where a row starts. */
  at(batch: number, token: number, head: number): number {
    return ((batch * this.tokens + token) * this.heads + head) * this.channels;
  }

  value(batch: number, token: number, head: number, channel = 0): number {
    return this.data[this.at(batch, token, head) + channel];
  }

  dot(other: Heads, batch: number, head: number, token: number, otherToken: number): number {
    let sum = 0;
    for (let c = 0; c < this.channels; c++)
      sum += this.value(batch, token, head, c) * other.value(batch, otherToken, head, c);
    return sum;
  }
}

/** Visits every query of every head. */
function forEachQuery(q: Heads, visit: (batch: number, head: number, token: number) => void): void {
  for (let batch = 0; batch < q.batch; batch++)
    for (let head = 0; head < q.heads; head++) for (let token = 0; token < q.tokens; token++) visit(batch, head, token);
}

/** scale q k^T of one query. */
function similarities(q: Heads, k: Heads, scale: number, batch: number, head: number, token: number): number[] {
  return Array.from({ length: k.tokens }, (_, key) => scale * q.dot(k, batch, head, token, key));
}

function logSumExp(values: readonly number[]): number {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** What attention.ts of the language composes of other ops, in one pass over the keys of each query. */
export const attention: Meanings<"attention" | "attention_logsumexp" | "attention_gradient"> = {
  attention: (op, inputs, { shape }) => {
    const [q, k, v] = inputs.map((x) => new Heads(x));
    const sums = new Float64Array(sizeOf(shape));
    const out = new Heads({ shape, data: sums });
    forEachQuery(q, (batch, head, token) => {
      const similarity = similarities(q, k, op.scale, batch, head, token);
      const total = logSumExp(similarity);
      const to = out.at(batch, token, head);
      similarity.forEach((value, key) => {
        const weight = Math.exp(value - total);
        for (let c = 0; c < v.channels; c++) sums[to + c] += weight * v.value(batch, key, head, c);
      });
    });
    return new Float32Array(sums);
  },
  attention_logsumexp: (op, inputs, { shape }) => {
    const [q, k] = inputs.map((x) => new Heads(x));
    const values = new Float64Array(sizeOf(shape));
    const out = new Heads({ shape, data: values });
    forEachQuery(q, (batch, head, token) => {
      values[out.at(batch, token, head)] = logSumExp(similarities(q, k, op.scale, batch, head, token));
    });
    return new Float32Array(values);
  },
  attention_gradient: (op, inputs, { shape }) => {
    const [q, k, v, g, logsumexp, delta] = inputs.map((x) => new Heads(x));
    const sums = new Float64Array(sizeOf(shape));
    const out = new Heads({ shape, data: sums });
    const add = (to: number, weight: number, x: Heads, from: number): void => {
      for (let c = 0; c < x.channels; c++) sums[to + c] += weight * x.data[from + c];
    };
    forEachQuery(q, (batch, head, token) => {
      const total = logsumexp.value(batch, token, head);
      similarities(q, k, op.scale, batch, head, token).forEach((value, key) => {
        const weight = Math.exp(value - total);
        if (op.of === "value") {
          add(out.at(batch, key, head), weight, g, g.at(batch, token, head));
          return;
        }
        const bySimilarity = weight * (g.dot(v, batch, head, token, key) - delta.value(batch, token, head)) * op.scale;
        if (op.of === "query") add(out.at(batch, token, head), bySimilarity, k, k.at(batch, key, head));
        else add(out.at(batch, key, head), bySimilarity, q, q.at(batch, token, head));
      });
    });
    return new Float32Array(sums);
  },
};
