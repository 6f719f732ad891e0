import { attention, attentionGradients } from "../../src/tensor/attention.ts";
import { softmax } from "../../src/tensor/functions/functions.ts";
import { Tensor, dotGeneral } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";
import type { OpCase, OpCases } from "./op-cases.ts";

interface Sizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly channels: number;
  /** Channels of the values, where they are not as many. */
  readonly values?: number;
}

const SCALE = 0.4;
/** Queries, keys and values. */
const OPERANDS = [0, 1, 2] as const;

const drawSizes = (random: Random): Sizes => ({
  batch: random.integer(1, 3),
  queries: random.pick([0, 1, 2, 5, 8, 9, 33]),
  keys: random.pick([1, 2, 5, 8, 9, 33]),
  heads: random.integer(1, 3),
  channels: random.pick([1, 2, 4, 5, 8, 9]),
  values: random.pick([1, 4, 7, 8]),
});

/** As many keys, and mostly heads, as devices take whole, around the sizes of tiles. */
const WHOLE: readonly Sizes[] = [
  { batch: 4, queries: 1, keys: 1024, heads: 1, channels: 1 },
  { batch: 2, queries: 7, keys: 1025, heads: 2, channels: 5 },
  { batch: 1, queries: 70, keys: 1031, heads: 4, channels: 12 },
  { batch: 1, queries: 100, keys: 1100, heads: 1, channels: 24 },
  { batch: 2, queries: 33, keys: 1024, heads: 2, channels: 33 },
  { batch: 1, queries: 103, keys: 261, heads: 4, channels: 8 },
];

function operands(random: Random, { batch, queries, keys, heads, channels, values = channels }: Sizes) {
  const of = (tokens: number, width: number) => random.array([batch, tokens, heads, width]);
  return [of(queries, channels), of(keys, channels), of(keys, values), of(queries, values)];
}

const attend = (random: Random, sizes: Sizes): OpCase => ({
  inputs: operands(random, sizes).slice(0, 3),
  build: ([q, k, v]) => attention(q, k, v, SCALE),
  magnitude: ([q, k, v]) => attention(q, k, v.abs(), SCALE),
});

const logSumExp = (random: Random, sizes: Sizes): OpCase => {
  const build = (inputs: readonly Tensor[]): Tensor =>
    new Tensor({ kind: "attention_logsumexp", scale: SCALE }, inputs);
  return {
    inputs: operands(random, sizes).slice(0, 2),
    build,
    magnitude: (inputs) => build(inputs).abs().add(1),
  };
};

/** The gradient by one operand; its size is that of the sum of what it is the sum of. */
const gradient = (random: Random, sizes: Sizes, which: 0 | 1 | 2): OpCase => ({
  inputs: operands(random, sizes),
  build: ([q, k, v, g]) => attentionGradients(attention(q, k, v, SCALE), g, SCALE)[which],
  magnitude: ([q, k, v, g]) => {
    const perHead = { lhsBatch: [0, 2], rhsBatch: [0, 2], lhsContract: [3], rhsContract: [3] };
    const weights = softmax(dotGeneral(q.multiply(SCALE), k, perHead));
    const byWeights = dotGeneral(g.abs(), v.abs(), perHead);
    const bySimilarity = weights.multiply(byWeights.add(weights.multiply(byWeights).sum(-1, true)));
    const [left, right, contracted] = [
      [bySimilarity, k.multiply(SCALE), 3],
      [bySimilarity, q.multiply(SCALE), 2],
      [weights, g, 2],
    ][which] as [Tensor, Tensor, number];
    const overTokens = { lhsBatch: [0, 1], rhsBatch: [0, 2], lhsContract: [contracted], rhsContract: [1] };
    return dotGeneral(left, right.abs(), overTokens).transpose([0, 2, 1, 3]);
  },
});

type Draw = (random: Random, sizes: Sizes) => OpCase;

const casesOf = (draw: Draw): OpCases => ({
  precision: "product",
  count: 5,
  draw: (random) => draw(random, drawSizes(random)),
  pinned: WHOLE.map((sizes) => (random) => draw(random, sizes)),
});

export const attentionCases: Readonly<Record<"attention" | "attention_logsumexp" | "attention_gradient", OpCases>> = {
  attention: casesOf(attend),
  attention_logsumexp: casesOf(logSumExp),
  attention_gradient: {
    ...casesOf((random, sizes) => gradient(random, sizes, random.pick(OPERANDS))),
    pinned: WHOLE.map((sizes, i) => (random) => gradient(random, sizes, OPERANDS[i % OPERANDS.length])),
  },
};
