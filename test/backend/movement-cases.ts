import type { DType } from "../../src/tensor/dtype.ts";
import type { Op, OpKind } from "../../src/tensor/op.ts";
import { range, sizeOf } from "../../src/tensor/shape.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { Tensor, full, iota, literal, scatterAdd, valueOf } from "../../src/tensor/tensor.ts";
import { Variable } from "../../src/tensor/variable.ts";
import type { Random } from "../support/random.ts";
import type { OpCase, OpCases } from "./op-cases.ts";
import { drawAxes, drawShape } from "./shapes.ts";

const DTYPES: readonly DType[] = ["f32", "f32", "i32", "u32", "bool"];

/** Of one operand, any dtype: `op` draws an op for its shape. */
function ofOne(random: Random, shape: Shape, op: (shape: Shape) => Op): OpCase {
  const x = random.array(shape, random.pick(DTYPES));
  const drawn = op(shape);
  return { inputs: [x], build: (inputs) => new Tensor(drawn, inputs) };
}

function exact(count: number, draw: (random: Random) => OpCase, pinned: OpCases["pinned"] = []): OpCases {
  return { precision: "exact", count, draw, pinned };
}

/** Another shape of the same size: prime factors of the size, dealt to a few axes in another order. */
function refactor(random: Random, shape: Shape): number[] {
  const rank = random.integer(1, 6);
  const result = range(rank).map(() => 1);
  if (sizeOf(shape) === 0) return result.with(random.integer(0, rank - 1), 0);
  let left = sizeOf(shape);
  for (let factor = 2; left > 1;) {
    if (left % factor !== 0) factor++;
    else {
      result[random.integer(0, rank - 1)] *= factor;
      left /= factor;
    }
  }
  return result;
}

function drawSlice(random: Random, shape: Shape): Op {
  const start = shape.map((n) => (random.chance(0.4) ? 0 : random.integer(0, n)));
  const limit = shape.map((n, axis) => (random.chance(0.4) ? n : random.integer(start[axis], n)));
  return { kind: "slice", start, limit, strides: shape.map(() => (random.chance(0.6) ? 1 : random.integer(1, 4))) };
}

/** Amounts of any sign whose result is not negative. */
export function drawPad(random: Random, shape: Shape, value: number): Op {
  const amount = (): number => (random.chance(0.4) ? 0 : random.integer(-3, 4));
  const interior = shape.map(() => (random.chance(0.7) ? 0 : random.integer(1, 3)));
  const low = shape.map(amount);
  const high = shape.map((n, axis) => Math.max(amount(), -low[axis] - n - Math.max(0, n - 1) * interior[axis]));
  return { kind: "pad", low, high, interior, value };
}

function drawBroadcast(random: Random): OpCase {
  const result = drawShape(random, { maxSize: 8000 });
  const dimensions = drawAxes(random, result.length, 0.6);
  const shape = dimensions.map((axis) => (random.chance(0.3) ? 1 : result[axis]));
  return ofOne(random, shape, () => ({ kind: "broadcast_in_dim", shape: result, dimensions }));
}

function drawConcatenation(random: Random): OpCase {
  const shape = drawShape(random, { minRank: 1, maxRank: 4, maxSize: 2000 });
  const axis = random.integer(0, shape.length - 1);
  const dtype = random.pick(DTYPES);
  const lengths = range(random.integer(1, 4)).map(() => random.pick([0, 1, 2, 3, 5, 8, 16]));
  return {
    inputs: lengths.map((length) => random.array(shape.with(axis, length), dtype)),
    build: (inputs) => new Tensor({ kind: "concatenate", axis }, inputs),
  };
}

function drawIndices(random: Random, rows: number) {
  const shape = drawShape(random, { maxRank: 2, maxSize: 200 });
  const dtype = random.pick(["i32", "u32"] as const);
  // Some lie outside the table.
  const margin = random.chance(0.5) ? 3 : 0;
  return random.array(shape, dtype, () => random.integer(dtype === "u32" ? 0 : -margin, rows - 1 + margin));
}

function drawGather(random: Random): OpCase {
  const rows = random.integer(1, 40);
  const table = random.array([rows, ...drawShape(random, { maxRank: 3, maxSize: 100 })], random.pick(DTYPES));
  return { inputs: [table, drawIndices(random, rows)], build: (inputs) => new Tensor({ kind: "gather" }, inputs) };
}

function drawScatter(random: Random): OpCase {
  const rows = random.integer(1, 40);
  const indices = drawIndices(random, rows);
  const rest = drawShape(random, { maxRank: 3, maxSize: 100 });
  const updates = random.array([...indices.shape, ...rest], random.pick(["f32", "f32", "i32", "u32"]));
  return {
    inputs: [indices, updates],
    build: ([at, values]) => scatterAdd(at, values, rows),
    magnitude: ([at, values]) => scatterAdd(at, values.abs(), rows),
  };
}

const noInput = (build: () => Tensor): OpCase => ({ inputs: [], build });

type MovementKind = Extract<
  OpKind,
  | "broadcast_in_dim"
  | "reshape"
  | "transpose"
  | "slice"
  | "pad"
  | "concatenate"
  | "reverse"
  | "gather"
  | "scatter_add"
  | "input"
  | "variable"
  | "constant"
  | "literal"
  | "iota"
>;

/** Cases of leaves, of movement and of rows. */
export const movementCases: Readonly<Record<MovementKind, OpCases>> = {
  input: exact(4, (random) => ({ inputs: [random.array(drawShape(random), random.pick(DTYPES))], build: ([x]) => x })),
  variable: exact(4, (random) => {
    const { shape, dtype, data } = random.array(drawShape(random), random.pick(DTYPES));
    return noInput(() => valueOf(new Variable("v", shape, { dtype, data: data.slice() })));
  }),
  constant: exact(
    6,
    (random) => {
      const dtype = random.pick(DTYPES);
      const [value] = random.array([1], dtype).data;
      const shape = drawShape(random);
      return noInput(() => full(shape, value, dtype));
    },
    [NaN, Infinity, -Infinity, -0, 3.4028235e38, 1e-45].map((value) => () => noInput(() => full([3], value))),
  ),
  literal: exact(5, (random) => {
    const array = random.array(drawShape(random), random.pick(DTYPES));
    return noInput(() => literal(array));
  }),
  iota: exact(6, (random) => {
    const shape = drawShape(random, { minRank: 1 });
    const axis = random.integer(0, shape.length - 1);
    const dtype = random.pick(["f32", "i32", "u32"] as const);
    return noInput(() => iota(shape, axis, dtype));
  }),
  broadcast_in_dim: exact(16, drawBroadcast),
  reshape: exact(12, (random) =>
    ofOne(random, drawShape(random), (shape) => ({ kind: "reshape", shape: refactor(random, shape) })),
  ),
  transpose: exact(
    14,
    (random) =>
      ofOne(random, drawShape(random, { minRank: 1 }), (shape) => ({
        kind: "transpose",
        permutation: random.shuffle(range(shape.length)),
      })),
    [
      [0, 2, 1],
      [2, 1, 0],
      [1, 2, 0],
    ].map((permutation) => (random) => ofOne(random, [7, 33, 28], () => ({ kind: "transpose", permutation }))),
  ),
  slice: exact(16, (random) => ofOne(random, drawShape(random, { minRank: 1 }), (shape) => drawSlice(random, shape))),
  pad: exact(
    20,
    (random) =>
      ofOne(random, drawShape(random, { maxSize: 1000 }), (shape) => drawPad(random, shape, random.integer(0, 1))),
    [-Infinity, NaN, 0.1].map((value) => (random) => {
      const x = random.array([3, 5]);
      return {
        inputs: [x],
        build: ([x]) =>
          x.pad(
            [
              [1, 0],
              [-2, 4],
            ],
            value,
          ),
      };
    }),
  ),
  concatenate: exact(14, drawConcatenation),
  reverse: exact(12, (random) =>
    ofOne(random, drawShape(random, { minRank: 1 }), (shape) => ({
      kind: "reverse",
      axes: drawAxes(random, shape.length),
    })),
  ),
  gather: exact(14, drawGather),
  scatter_add: { precision: "sum", count: 16, draw: drawScatter },
};
