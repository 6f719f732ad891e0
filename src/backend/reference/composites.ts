import { sizeOf, stridesOf } from "../../tensor/shape.ts";
import type { Meanings } from "./meaning.ts";
import { forEachRow } from "./strided.ts";

/** What the language's composites.ts composes of other ops. */
export const composites: Meanings<"softmax" | "variance"> = {
  softmax: ({ axis }, [{ data }], { shape }) => {
    const step = sizeOf(shape.slice(axis + 1));
    const results = new Float32Array(data.length);
    // Rounded where the composition rounds.
    const weights = new Float32Array(shape[axis]);
    for (let from = 0; from < data.length; from += shape[axis] * step)
      for (let at = from; at < from + step; at++) {
        for (let i = 0; i < weights.length; i++) weights[i] = data[at + i * step];
        const most = weights.reduce((a, b) => Math.max(a, b), -Infinity);
        for (let i = 0; i < weights.length; i++) weights[i] = Math.exp(Math.fround(weights[i] - most));
        const total = Math.fround(weights.reduce((a, b) => a + b, 0));
        for (let i = 0; i < weights.length; i++) results[at + i * step] = weights[i] / total;
      }
    return results;
  },
  variance: ({ axes }, [x], { shape }) => {
    const count = x.data.length / Math.max(1, sizeOf(shape));
    const strides = stridesOf(shape).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const meanOf = (value: (at: number, to: number) => number): Float64Array => {
      const sums = new Float64Array(sizeOf(shape));
      const step = strides.at(-1) ?? 0;
      forEachRow(x.shape, { offset: 0, strides: stridesOf(x.shape) }, { offset: 0, strides }, (at, to) => {
        for (let i = 0; i < (x.shape.at(-1) ?? 1); i++) sums[to + i * step] += value(at + i, to + i * step);
      });
      return sums.map((sum) => sum / count);
    };
    const means = meanOf((at) => x.data[at]);
    return new Float32Array(meanOf((at, to) => (x.data[at] - means[to]) ** 2));
  },
};
