import { describe, expect, test } from "vitest";
import { gradientError } from "../../../test/support/gradients.ts";
import { Random } from "../../../test/support/random.ts";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import { drawPad } from "../../../test/backend/movement-cases.ts";
import { attention, attentionGradients } from "../attention.ts";
import { softmax } from "../functions/functions.ts";
import { variance } from "../functions/norm.ts";
import { grad } from "./grad.ts";
import { convolvedSize } from "../infer.ts";
import type { NdArray } from "../ndarray.ts";
import type { BinaryKind, ConvolutionWindow, OpKind, Reduction, UnaryKind } from "../op.ts";
import type { Shape } from "../shape.ts";
import { Tensor, dotGeneral, scatterAdd } from "../tensor.ts";

interface GradientCase {
  readonly inputs: readonly NdArray[];
  readonly build: (inputs: readonly Tensor[]) => Tensor;
}
type Draw = (random: Random) => GradientCase;

const TOLERANCE = 3e-5;
/** Around a kink nothing may move across it. */
const AWAY = 0.1;

const SHAPES: readonly Shape[] = [[], [1], [5], [3, 1, 4], [2, 3, 2], [0, 3]];
const anyShape = (random: Random): Shape => random.pick(SHAPES);
const normal = (random: Random, shape: Shape): NdArray => random.array(shape);
/** Between the limits, of any sign, and at least AWAY from 0. */
const signed = (random: Random, shape: Shape, limit = 2): NdArray =>
  random.array(shape, "f32", () => (random.chance(0.5) ? 1 : -1) * random.between(AWAY, limit));
const positive = (random: Random, shape: Shape): NdArray => random.array(shape, "f32", () => random.between(1, 3));

const unary =
  (kind: UnaryKind, draw: (random: Random, shape: Shape) => NdArray = normal): Draw =>
  (random) => ({ inputs: [draw(random, anyShape(random))], build: (inputs) => new Tensor({ kind }, inputs) });

const binary =
  (kind: BinaryKind, first = normal, second = first): Draw =>
  (random) => {
    const shape = anyShape(random);
    return { inputs: [first(random, shape), second(random, shape)], build: (inputs) => new Tensor({ kind }, inputs) };
  };

/** Two operands whose elements lie apart, so that the larger one stays the larger one. */
const apart =
  (kind: "maximum" | "minimum"): Draw =>
  (random) => {
    const a = normal(random, anyShape(random));
    const difference = signed(random, a.shape).data;
    const b = { ...a, data: Float32Array.from(a.data, (x, i) => x + 2 * difference[i]) };
    return { inputs: [a, b], build: (inputs) => new Tensor({ kind }, inputs) };
  };

/** Different numbers, some way apart. */
const distinct = (random: Random, shape: Shape): NdArray => {
  const order = random.shuffle(Array.from(random.array(shape).data.keys()));
  return { shape, dtype: "f32", data: Float32Array.from(order, (n) => n * 0.3 - 2) };
};

const reduce =
  (reduction: Reduction): Draw =>
  (random) => {
    const shape = random.pick<Shape>([[7], [3, 4], [2, 1, 5], [1, 1], [3, 2, 2]]);
    const axes = shape.map((_, axis) => axis).filter(() => random.chance(0.6));
    const build = (inputs: readonly Tensor[]): Tensor => new Tensor({ kind: "reduce", reduction, axes }, inputs);
    return { inputs: [distinct(random, shape)], build };
  };

function drawWindow(random: Random): ConvolutionWindow {
  const pair = (low: number, high: number): [number, number] => [random.integer(low, high), random.integer(low, high)];
  return { strides: pair(1, 3), padding: [pair(-1, 3), pair(-1, 3)], lhsDilation: pair(1, 2), rhsDilation: pair(1, 2) };
}

const convolution: Draw = (random) => {
  const kernel = [random.integer(1, 3), random.integer(1, 3), random.integer(1, 3), random.integer(1, 2)];
  const image = [random.integer(1, 2), random.integer(2, 6), random.integer(2, 6), kernel[2]];
  const window = drawWindow(random);
  return {
    inputs: [normal(random, image), normal(random, kernel)],
    build: (inputs) => new Tensor({ kind: "convolution", ...window }, inputs),
  };
};

const filterGradient: Draw = (random) => {
  const image = [random.integer(1, 2), random.integer(2, 6), random.integer(2, 6), random.integer(1, 3)];
  const kernel = [random.integer(1, 3), random.integer(1, 3)] as const;
  const window = drawWindow(random);
  const height = convolvedSize(image[1], kernel[0], window, 0);
  const width = convolvedSize(image[2], kernel[1], window, 1);
  return {
    inputs: [normal(random, image), normal(random, [image[0], height, width, 2])],
    build: (inputs) => new Tensor({ kind: "convolution_filter_gradient", kernel, ...window }, inputs),
  };
};

const dot: Draw = (random) => {
  const [m, n, k, l, batch] = Array.from({ length: 5 }, () => random.integer(1, 3));
  return random.pick<GradientCase>([
    {
      inputs: [normal(random, [m, k]), normal(random, [k, n])],
      build: ([a, b]) => a.matmul(b),
    },
    {
      inputs: [normal(random, [k, batch, m, l]), normal(random, [batch, l, n, k])],
      build: ([a, b]) => dotGeneral(a, b, { lhsBatch: [1], rhsBatch: [0], lhsContract: [3, 0], rhsContract: [1, 3] }),
    },
    {
      inputs: [normal(random, [m, batch]), normal(random, [n, batch])],
      build: ([a, b]) => dotGeneral(a, b, { lhsBatch: [1], rhsBatch: [1], lhsContract: [], rhsContract: [] }),
    },
    {
      inputs: [normal(random, [k, l]), normal(random, [l, k])],
      build: ([a, b]) => dotGeneral(a, b, { lhsBatch: [], rhsBatch: [], lhsContract: [0, 1], rhsContract: [1, 0] }),
    },
    {
      inputs: [normal(random, [m, 0]), normal(random, [0, n])],
      build: ([a, b]) => a.matmul(b),
    },
  ]);
};

/** Operands of attention: 1 to 3 of everything, with as many keys as there are or are not queries. */
function drawHeads(random: Random): readonly [q: NdArray, k: NdArray, v: NdArray, cotangent: NdArray] {
  const [batch, queries, keys, heads, channels, values] = Array.from({ length: 6 }, () => random.integer(1, 3));
  const of = (tokens: number, width: number): NdArray => normal(random, [batch, tokens, heads, width]);
  return [of(queries, channels), of(keys, channels), of(keys, values), of(queries, values)];
}

const attend: Draw = (random) => ({
  inputs: drawHeads(random).slice(0, 3),
  build: ([q, k, v]) => attention(q, k, v, 0.7),
});

const logSumExp: Draw = (random) => ({
  inputs: drawHeads(random).slice(0, 2),
  build: (inputs) => new Tensor({ kind: "attention_logsumexp", scale: 0.7 }, inputs),
});

const attentionGradient =
  (of: 0 | 1 | 2): Draw =>
  (random) => ({
    inputs: drawHeads(random),
    build: ([q, k, v, g]) => attentionGradients(attention(q, k, v, 0.7), g, 0.7)[of],
  });

const moved =
  (shape: Shape, build: GradientCase["build"]): Draw =>
  (random) => ({ inputs: [normal(random, shape)], build });

const indices = (random: Random, rows: number): NdArray =>
  random.array([2, 3], random.pick(["i32", "u32"]), () => random.integer(0, rows + 1));

/** Draws of every differentiable op; the others must pass nothing on. */
const cases: { readonly [K in OpKind]: readonly Draw[] | "leaf" | "constant" } = {
  input: "leaf",
  variable: "leaf",
  constant: "leaf",
  literal: "leaf",
  iota: "leaf",
  negate: [unary("negate")],
  exponential: [unary("exponential")],
  log: [unary("log", positive)],
  sqrt: [unary("sqrt", positive)],
  rsqrt: [unary("rsqrt", positive)],
  tanh: [unary("tanh")],
  logistic: [unary("logistic")],
  erf: [unary("erf")],
  sine: [unary("sine")],
  cosine: [unary("cosine")],
  abs: [unary("abs", signed)],
  sign: "constant",
  floor: "constant",
  stop_gradient: "constant",
  add: [binary("add")],
  subtract: [binary("subtract")],
  multiply: [binary("multiply")],
  divide: [binary("divide", normal, positive)],
  maximum: [apart("maximum")],
  minimum: [apart("minimum")],
  power: [
    binary("power", positive, normal),
    (random) => ({ inputs: [signed(random, [5])], build: ([x]) => x.power(3) }),
    (random) => ({ inputs: [normal(random, [4])], build: ([x]) => x.power(0) }),
  ],
  and: "constant",
  or: "constant",
  xor: "constant",
  shift_left: "constant",
  bitcast_convert: "constant",
  shift_right: "constant",
  compare: "constant",
  select: [
    (random) => ({
      inputs: [random.array([3, 4], "bool"), normal(random, [3, 4]), normal(random, [3, 4])],
      build: (inputs) => new Tensor({ kind: "select" }, inputs),
    }),
  ],
  clamp: [
    (random) => ({
      inputs: [
        random.array([9], "f32", () => random.between(-1.3, -0.7)),
        random.array([9], "f32", () => random.pick([-2, 0.1, 0.3, 2])),
        random.array([9], "f32", () => random.between(0.7, 1.3)),
      ],
      build: (inputs) => new Tensor({ kind: "clamp" }, inputs),
    }),
  ],
  convert: [
    (random) => ({
      inputs: [normal(random, [4])],
      build: (inputs) => new Tensor({ kind: "convert", dtype: "f32" }, inputs),
    }),
  ],
  broadcast_in_dim: [
    moved([3], (inputs) => new Tensor({ kind: "broadcast_in_dim", shape: [2, 3, 4], dimensions: [1] }, inputs)),
    moved([1, 2], (inputs) => new Tensor({ kind: "broadcast_in_dim", shape: [3, 5, 2], dimensions: [0, 2] }, inputs)),
    moved([], (inputs) => new Tensor({ kind: "broadcast_in_dim", shape: [2, 2], dimensions: [] }, inputs)),
    moved([1, 3], ([x]) => x.broadcastTo([0, 3])),
  ],
  reshape: [moved([2, 6], ([x]) => x.reshape([3, 1, 4])), moved([0, 2], ([x]) => x.reshape([5, 0]))],
  transpose: [moved([2, 3, 4], ([x]) => x.transpose([2, 0, 1])), moved([3, 1], ([x]) => x.transpose())],
  slice: [
    moved([7, 3], (inputs) => new Tensor({ kind: "slice", start: [1, 0], limit: [6, 2], strides: [2, 1] }, inputs)),
    moved([8], ([x]) => x.slice(0, 2, 8, 3)),
    moved([4], ([x]) => x.slice(0, 2, 2)),
  ],
  pad: [
    (random) => {
      const shape = random.pick<Shape>([[4], [2, 3], [1, 2, 2], [3, 0]]);
      const op = drawPad(random, shape, 0.5);
      return { inputs: [normal(random, shape)], build: (inputs) => new Tensor(op, inputs) };
    },
  ],
  concatenate: [
    (random) => ({
      inputs: [normal(random, [2, 3]), normal(random, [2, 0]), normal(random, [2, 1])],
      build: (inputs) => new Tensor({ kind: "concatenate", axis: 1 }, inputs),
    }),
  ],
  reverse: [moved([3, 4], ([x]) => x.reverse([1])), moved([2, 2, 3], ([x]) => x.reverse([0, 2]))],
  gather: [
    (random) => ({ inputs: [normal(random, [4, 2, 2]), indices(random, 4)], build: ([table, at]) => table.gather(at) }),
  ],
  scatter_add: [
    (random) => ({ inputs: [indices(random, 4), normal(random, [2, 3, 2])], build: ([at, x]) => scatterAdd(at, x, 4) }),
  ],
  reduce: [reduce("sum"), reduce("max"), reduce("min")],
  dot_general: [dot],
  convolution: [convolution],
  convolution_filter_gradient: [filterGradient],
  softmax: [moved([3, 4], ([x]) => softmax(x)), moved([2, 3, 2], ([x]) => softmax(x, 1))],
  variance: [moved([3, 4], ([x]) => variance(x, [1])), moved([2, 3, 2, 2], ([x]) => variance(x, [1, 3]))],
  attention: [attend],
  attention_logsumexp: [logSumExp],
  attention_gradient: [attentionGradient(0), attentionGradient(1), attentionGradient(2)],
};

const SEEDS = [1, 2, 3, 4, 5, 6];
const differentiable = Object.entries(cases).filter((entry): entry is [string, readonly Draw[]] =>
  Array.isArray(entry[1]),
);

describe("the vector-Jacobian product agrees with central differences:", () => {
  test.for(differentiable)("%s", async ([, draws]) => {
    for (const draw of draws) {
      for (const seed of SEEDS) {
        const random = new Random(seed);
        const { inputs, build } = draw(random);
        expect(await gradientError(build, inputs, random)).toBeLessThan(TOLERANCE);
      }
    }
  });

  const squared = ["power", "divide", "logistic", "erf", "tanh", "rsqrt", "log", "gather", "scatter_add"] as const;
  const linear = [
    "dot_general",
    "convolution",
    "convolution_filter_gradient",
    "pad",
    "slice",
    "broadcast_in_dim",
  ] as const;
  const attending = ["attention", "attention_logsumexp", "attention_gradient", "softmax", "variance"] as const;
  test.for([...squared, ...linear, ...attending])("%s, twice", async (kind) => {
    const draws = cases[kind];
    for (const draw of draws === "leaf" || draws === "constant" ? [] : draws) {
      for (const seed of SEEDS.slice(0, 3)) {
        const random = new Random(seed);
        const { inputs, build } = draw(random);
        // Squares make even a linear op's first gradient depend on every operand.
        const first = (leaves: readonly Tensor[]): Tensor => {
          const by = leaves.filter(({ dtype }) => dtype === "f32");
          const y = build(leaves).multiply(0.5);
          const gradients = grad(y.multiply(y).add(y).sum(), by);
          return gradients.map((g) => g.multiply(g.add(1)).sum()).reduce((a, b) => a.add(b));
        };
        expect(await gradientError(first, inputs, random, 0.01)).toBeLessThan(1e-3);
      }
    }
  });
});

describe("ops without a gradient pass zeros on:", () => {
  test.for<[string, (x: Tensor) => Tensor]>([
    ["sign", (x) => x.sign()],
    ["floor", (x) => x.floor()],
    ["stop_gradient", (x) => x.stopGradient()],
    ["compare", (x) => x.compare("gt", 0).convert("f32")],
    ["convert to integers and back", (x) => x.convert("i32").convert("f32")],
    ["and, or, xor and shifts", (x) => x.convert("u32").and(3).or(4).xor(1).shiftLeft(2).shiftRight(1).convert("f32")],
  ])("%s", async ([, fn]) => {
    const x = tensorOf([0.4, 2.5, -1.5]);
    const [gradient] = grad(fn(x).multiply(2).sum(), [x]);
    expect(await valuesOf(gradient)).toEqual([0, 0, 0]);
  });
});

describe("where derivatives are not unique", () => {
  test("equal operands of maximum and minimum share the gradient", async () => {
    const a = tensorOf([1, 2, 3]);
    const b = tensorOf([1, 3, 2]);
    const [byA, byB] = grad(a.maximum(b).sum(), [a, b]);
    expect(await valuesOf(byA)).toEqual([0.5, 0, 1]);
    expect(await valuesOf(byB)).toEqual([0.5, 1, 0]);
    expect(await valuesOf(grad(a.minimum(b).sum(), [a])[0])).toEqual([0.5, 1, 0]);
  });

  test("equal elements share the gradient of a largest or smallest one", async () => {
    const x = tensorOf([5, 1, 5, 1, 0, 1], [2, 3]);
    expect(
      await valuesOf(
        grad(
          x
            .max(1)
            .multiply(tensorOf([2, 3]))
            .sum(),
          [x],
        )[0],
      ),
    ).toEqual([1, 0, 1, 1.5, 0, 1.5]);
    expect(await valuesOf(grad(x.min().multiply(3), [x])[0])).toEqual([0, 0, 0, 0, 3, 0]);
  });

  test("abs at 0 has slope 0, and powers at 0 have finite slopes", async () => {
    const x = tensorOf([0]);
    expect(await valuesOf(grad(x.abs().sum(), [x])[0])).toEqual([0]);
    const zero = tensorOf([0, 0, 0]);
    const exponents = tensorOf([0, 1, 2]);
    const [byBase, byExponent] = grad(zero.power(exponents).sum(), [zero, exponents]);
    expect(await valuesOf(byBase)).toEqual([0, 1, 0]);
    expect(await valuesOf(byExponent)).toEqual([0, 0, 0]);
  });

  test("gather passes the gradient of an index outside the table to the row that it clamps to", async () => {
    const table = tensorOf([1, 2, 3]);
    const indices = tensorOf([-4, 9, 1], [3], "i32");
    const weights = tensorOf([1, 10, 100]);
    expect(await valuesOf(grad(table.gather(indices).multiply(weights).sum(), [table])[0])).toEqual([1, 100, 10]);
  });

  test("scatter_add passes nothing to rows that it drops", async () => {
    const updates = tensorOf([1, 2, 3, 4]);
    const indices = tensorOf([0, -1, 1, 2], [4], "i32");
    expect(
      await valuesOf(
        grad(
          scatterAdd(indices, updates, 2)
            .multiply(tensorOf([5, 7]))
            .sum(),
          [updates],
        )[0],
      ),
    ).toEqual([5, 0, 7, 0]);
  });
});
