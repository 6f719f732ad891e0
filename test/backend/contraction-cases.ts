import type { DType } from "../../src/tensor/dtype.ts";
import type { ConvolutionWindow, Op, Reduction, SpatialPair } from "../../src/tensor/op.ts";
import { range } from "../../src/tensor/shape.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { convolvedSize } from "../../src/tensor/infer.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";
import type { OpCase, OpCases } from "./op-cases.ts";
import { drawAxes, drawShape } from "./shapes.ts";

const SIDES = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 28, 33];

/** The op on random operands; an error is relative to what the operands' magnitudes give. */
function contract(random: Random, op: Op, ...shapes: readonly Shape[]): OpCase {
  return {
    inputs: shapes.map((shape) => random.array(shape)),
    build: (operands) => new Tensor(op, operands),
    magnitude: (operands) =>
      new Tensor(
        op,
        operands.map((x) => x.abs()),
      ),
  };
}

function reduce(random: Random, shape: Shape, axes: readonly number[], reduction: Reduction, dtype: DType): OpCase {
  const op: Op = { kind: "reduce", reduction, axes };
  const build = (inputs: readonly Tensor[]): Tensor => new Tensor(op, inputs);
  const inputs = [random.array(shape, dtype)];
  if (reduction !== "sum") return { inputs, build, precision: "exact" };
  return { inputs, build, magnitude: ([x]) => new Tensor(op, [x.abs()]) };
}

function drawReduce(random: Random): OpCase {
  const shape = drawShape(random, { minRank: 1, maxSize: 20000, empty: 0.12 });
  const reduction = random.pick<Reduction>(["sum", "max", "min"]);
  const dtype = random.pick(["f32", "f32", "i32", "u32"] as const);
  return reduce(random, shape, drawAxes(random, shape.length, 0.6), reduction, dtype);
}

const reduceOf =
  (shape: Shape, axes: readonly number[], reduction: Reduction = "sum", dtype: DType = "f32") =>
  (random: Random): OpCase =>
    reduce(random, shape, axes, reduction, dtype);

const withNaN =
  (reduction: Reduction) =>
  (random: Random): OpCase => {
    const x = random.array([6, 17]);
    x.data[20] = NaN;
    x.data[40] = Infinity;
    x.data[60] = -Infinity;
    return {
      inputs: [x],
      build: ([x]) => (reduction === "sum" ? x.sum(1) : reduction === "max" ? x.max(1) : x.min(1)),
    };
  };

function drawDot(random: Random): OpCase {
  const lengths = (count: number): number[] => range(count).map(() => random.pick(SIDES));
  const batch = lengths(random.integer(0, 2));
  const depth = lengths(random.integer(0, 2));
  const free = [lengths(random.integer(0, 2)), lengths(random.integer(0, 2))];
  if (random.chance(0.1)) random.pick([batch, depth, ...free])[0] = 0;
  // Each operand's axes in an order of its own; `place` says where a batch or contracted axis went.
  const operand = (own: readonly number[]) => {
    const axes = [...batch, ...depth, ...own];
    const order = random.shuffle(range(axes.length));
    const place = (first: number, count: number): number[] => range(count).map((i) => order.indexOf(first + i));
    return {
      shape: order.map((axis) => axes[axis]),
      batch: place(0, batch.length),
      contract: place(batch.length, depth.length),
    };
  };
  const lhs = operand(free[0]);
  const rhs = operand(free[1]);
  return contract(
    random,
    {
      kind: "dot_general",
      lhsBatch: lhs.batch,
      rhsBatch: rhs.batch,
      lhsContract: lhs.contract,
      rhsContract: rhs.contract,
    },
    lhs.shape,
    rhs.shape,
  );
}

/** A matrix product; `flip` swaps the axes of an operand in memory. */
const product =
  (m: number, k: number, n: number, flip: "" | "lhs" | "rhs" | "both" = "") =>
  (random: Random): OpCase => {
    const flipLhs = flip === "lhs" || flip === "both";
    const flipRhs = flip === "rhs" || flip === "both";
    return contract(
      random,
      {
        kind: "dot_general",
        lhsBatch: [],
        rhsBatch: [],
        lhsContract: [flipLhs ? 0 : 1],
        rhsContract: [flipRhs ? 1 : 0],
      },
      flipLhs ? [k, m] : [m, k],
      flipRhs ? [n, k] : [k, n],
    );
  };

const batchedProduct =
  (batch: number, m: number, k: number, n: number) =>
  (random: Random): OpCase =>
    contract(
      random,
      { kind: "dot_general", lhsBatch: [0], rhsBatch: [0], lhsContract: [2], rhsContract: [1] },
      [batch, m, k],
      [batch, k, n],
    );

function drawWindow(random: Random): ConvolutionWindow {
  const usual = random.chance(0.4);
  const pair = (draw: () => number): SpatialPair => [draw(), draw()];
  const dilation = (): number => (usual || random.chance(0.6) ? 1 : random.integer(2, 3));
  const amount = (): number => (usual ? random.integer(0, 2) : random.integer(-2, 4));
  return {
    strides: pair(() => (random.chance(0.5) ? 1 : random.integer(1, 3))),
    padding: [pair(amount), pair(amount)],
    lhsDilation: pair(dilation),
    rhsDilation: pair(dilation),
  };
}

interface ConvolutionSizes {
  readonly image: Shape;
  readonly kernel: SpatialPair;
  readonly outChannels: number;
  readonly window: ConvolutionWindow;
}

function drawSizes(random: Random): ConvolutionSizes {
  const image = [random.integer(1, 3), random.pick(SIDES), random.pick(SIDES), random.pick(CHANNELS)];
  if (random.chance(0.06)) image[random.integer(0, 3)] = 0;
  const kernel = [random.integer(1, 4), random.integer(1, 4)] as const;
  const outChannels = random.chance(0.03) ? 0 : random.pick(CHANNELS);
  return { image, kernel, outChannels, window: drawWindow(random) };
}

const square = (
  size: number,
  channels: number,
  outChannels: number,
  kernel: number,
  stride = 1,
  padding = 0,
): ConvolutionSizes => ({
  image: [2, size, size, channels],
  kernel: [kernel, kernel],
  outChannels,
  window: {
    strides: [stride, stride],
    padding: [
      [padding, padding],
      [padding, padding],
    ],
    lhsDilation: [1, 1],
    rhsDilation: [1, 1],
  },
});

/** What the models use, and images and channels around the sizes of tiles. */
const USUAL_CONVOLUTIONS: readonly ConvolutionSizes[] = [
  square(28, 1, 28, 1),
  square(28, 28, 28, 3, 1, 1),
  square(14, 28, 56, 3, 1, 1),
  square(7, 56, 33, 3, 1, 1),
  square(28, 3, 8, 7, 1, 3),
  square(16, 12, 12, 4, 2, 1),
  square(28, 5, 1, 1),
  square(9, 112, 7, 1),
  square(33, 2, 3, 3, 1, 1),
  square(7, 56, 112, 3, 1, 1),
  { ...square(7, 20, 36, 3, 1, 1), image: [32, 7, 5, 20] },
  { ...square(30, 16, 24, 3, 1, 1), image: [1, 30, 12, 16] },
];

function convolution(random: Random, { image, kernel, outChannels, window }: ConvolutionSizes): OpCase {
  return contract(random, { kind: "convolution", ...window }, image, [...kernel, image[3], outChannels]);
}

function filterGradient(random: Random, { image, kernel, outChannels, window }: ConvolutionSizes): OpCase {
  const height = convolvedSize(image[1], kernel[0], window, 0);
  const width = convolvedSize(image[2], kernel[1], window, 1);
  const divisors = range(image[0])
    .map((i) => i + 1)
    .filter((n) => image[0] % n === 0);
  const parts = random.chance(0.3) && divisors.length > 0 ? { parts: random.pick(divisors) } : {};
  const op: Op = { kind: "convolution_filter_gradient", kernel, ...window, ...parts };
  return contract(random, op, image, [image[0], height, width, outChannels]);
}

export const contractionCases: Readonly<
  Record<"reduce" | "dot_general" | "convolution" | "convolution_filter_gradient", OpCases>
> = {
  reduce: {
    precision: "sum",
    count: 30,
    draw: drawReduce,
    pinned: [
      reduceOf([50000], [0]),
      reduceOf([3, 20000], [1]),
      reduceOf([20000, 3], [0]),
      reduceOf([4, 28, 28, 28], [1, 2]),
      reduceOf([4, 28, 28, 28], [0, 1, 2]),
      reduceOf([4, 28, 28, 28], [0, 1, 2, 3], "max"),
      reduceOf([5, 1, 7], [1]),
      reduceOf([5, 0, 7], [1]),
      reduceOf([5, 0, 7], [1], "max"),
      reduceOf([5, 0, 7], [1], "min"),
      reduceOf([5, 0], [1], "max", "i32"),
      reduceOf([5, 0], [1], "min", "u32"),
      withNaN("sum"),
      withNaN("max"),
      withNaN("min"),
    ],
  },
  dot_general: {
    precision: "product",
    count: 40,
    draw: drawDot,
    pinned: [
      product(1, 1, 1),
      product(1, 500, 1),
      product(500, 1, 7),
      product(1, 33, 65),
      product(65, 33, 1),
      product(64, 128, 48),
      product(67, 129, 35),
      product(67, 65, 35, "lhs"),
      product(67, 65, 35, "rhs"),
      product(33, 31, 29, "both"),
      batchedProduct(8, 49, 32, 49),
      batchedProduct(3, 5, 200, 5),
    ],
  },
  convolution: {
    precision: "product",
    count: 50,
    draw: (random) => convolution(random, drawSizes(random)),
    pinned: USUAL_CONVOLUTIONS.map((sizes) => (random) => convolution(random, sizes)),
  },
  convolution_filter_gradient: {
    precision: "product",
    count: 50,
    draw: (random) => filterGradient(random, drawSizes(random)),
    pinned: USUAL_CONVOLUTIONS.map((sizes) => (random) => filterGradient(random, sizes)),
  },
};
