import type { DType } from "../../src/tensor/dtype.ts";
import { softmax } from "../../src/tensor/functions/functions.ts";
import { range } from "../../src/tensor/shape.ts";
import { Tensor, concatenate, dotGeneral, iota, literal, scatterAdd } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";
import { drawPad } from "./movement-cases.ts";
import type { Entry } from "./random-graph.ts";
import { drawAxes } from "./shapes.ts";

/** One op, or a few that belong together, on tensors made before. */
export interface Step {
  /** Places of the operands among all tensors. */
  readonly operands: readonly number[];
  readonly apply: (operands: readonly Tensor[]) => Tensor;
  /** Gives exact results from exact operands. */
  readonly exact: boolean;
}

type Maker = (random: Random, entries: readonly Entry[]) => Step | undefined;

/** Of which dtype an entry must be, and whether it must be exact. */
type Wish = (entry: Entry) => boolean;
const isA =
  (...dtypes: readonly DType[]): Wish =>
  ({ value }) =>
    dtypes.includes(value.dtype);
const isFloat = isA("f32");
const isExactFloat: Wish = (entry) => entry.exact && isFloat(entry);
const hasRank =
  (least: number, wish: Wish = () => true): Wish =>
  (entry) =>
    entry.value.shape.length >= least && wish(entry);

/** A place among the entries, later ones more often. */
function find(random: Random, entries: readonly Entry[], wish: Wish): number | undefined {
  const places = range(entries.length).filter((i) => wish(entries[i]));
  if (places.length === 0) return undefined;
  return random.chance(0.5) ? random.pick(places.slice(-4)) : random.pick(places);
}

const one =
  (wish: Wish, exact: boolean, make: (random: Random, entry: Entry) => Step["apply"] | undefined): Maker =>
  (random, entries) => {
    const at = find(random, entries, wish);
    const apply = at === undefined ? undefined : make(random, entries[at]);
    return at === undefined || !apply ? undefined : { operands: [at], apply, exact };
  };

const two =
  (
    first: Wish,
    second: (a: Entry) => Wish,
    exact: boolean,
    make: (random: Random, a: Entry, b: Entry) => Step["apply"] | undefined,
  ): Maker =>
  (random, entries) => {
    const a = find(random, entries, first);
    const b = a === undefined ? undefined : find(random, entries, second(entries[a]));
    const apply = a === undefined || b === undefined ? undefined : make(random, entries[a], entries[b]);
    return a === undefined || b === undefined || !apply ? undefined : { operands: [a, b], apply, exact };
  };

function broadcasts({ value: a }: Entry): Wish {
  return ({ value: b }) =>
    a.dtype === b.dtype &&
    range(Math.min(a.shape.length, b.shape.length)).every((i) => {
      const [m, n] = [a.shape.at(-1 - i), b.shape.at(-1 - i)];
      return m === n || m === 1 || n === 1;
    });
}

/** Functions that are smooth wherever their arguments may lie. */
const SMOOTH: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.tanh(),
  (x) => x.sigmoid(),
  (x) => x.sin(),
  (x) => x.cos(),
  (x) => x.erf(),
  (x) => x.clamp(-3, 3).exp(),
  (x) => x.square().add(0.3).log(),
  (x) => x.square().add(0.1).sqrt(),
  (x) => x.square().add(0.2).rsqrt(),
  (x) => x.multiply(x),
  (x) => x.multiply(0.5).add(1),
  (x) => x.abs().add(0.5).power(1.5),
];
const EXACT_UNARY: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.negate(),
  (x) => x.abs(),
  (x) => x.clamp(-1, 1.5),
  (x) => x.stopGradient(),
];
const STEPPED: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.floor(),
  (x) => x.sign(),
  (x) => x.convert("i32"),
  (x) => x.compare("gt", 0),
];
const BINARY: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => a.add(b),
  (a, b) => a.subtract(b),
  (a, b) => a.multiply(b),
  (a, b) => a.divide(b.square().add(0.5)),
  (a, b) => b.divide(a.abs().add(0.5)),
  (a, b) => a.abs().add(0.5).power(b.clamp(-2, 2)),
];
const EXACT_BINARY: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [(a, b) => a.maximum(b), (a, b) => a.minimum(b)];
const INTEGER: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => a.add(b),
  (a, b) => a.multiply(b),
  (a, b) => a.subtract(b),
  (a, b) => a.xor(b),
  (a, b) => a.and(b),
  (a, b) => a.or(b),
  (a, b) => a.maximum(b),
];

const movement = one(
  hasRank(1, (entry) => entry.value.data.length > 0),
  true,
  (random, { value: { shape, dtype } }) => {
    const axis = random.integer(0, shape.length - 1);
    switch (random.integer(0, 7)) {
      case 0:
      case 1: {
        const permutation = random.shuffle(range(shape.length));
        return ([x]) => x.transpose(permutation);
      }
      case 2: {
        const merged = shape.flatMap((n, i) =>
          i === axis && i + 1 < shape.length ? [n * shape[i + 1]] : i === axis + 1 ? [] : [n],
        );
        return ([x]) => x.reshape(merged);
      }
      case 3: {
        const divisor = random.pick([2, 3, 4, 7]);
        if (shape[axis] % divisor !== 0) return undefined;
        return ([x]) => x.reshape([...shape.slice(0, axis), divisor, shape[axis] / divisor, ...shape.slice(axis + 1)]);
      }
      case 4: {
        const start = random.integer(0, shape[axis] - 1);
        const limit = random.integer(start + 1, shape[axis]);
        const step = random.pick([1, 1, 2, 3]);
        return ([x]) => x.slice(axis, start, limit, step);
      }
      case 5: {
        const op = drawPad(random, shape, dtype === "f32" ? random.pick([0, 0, 1, -0.5]) : 0);
        return (operands) => new Tensor(op, operands);
      }
      case 6: {
        const axes = drawAxes(random, shape.length);
        return ([x]) => x.reverse(axes);
      }
      default: {
        const length = random.integer(2, 5);
        return ([x]) =>
          x
            .reshape([...shape.slice(0, axis), 1, ...shape.slice(axis)])
            .broadcastTo([...shape.slice(0, axis), length, ...shape.slice(axis)]);
      }
    }
  },
);

const joined = two(
  hasRank(1),
  ({ value: a }) =>
    ({ value: b }) =>
      a.dtype === b.dtype &&
      a.shape.length === b.shape.length &&
      a.shape.filter((n, i) => n !== b.shape[i]).length <= 1,
  true,
  (random, { value: a }, { value: b }) => {
    const differing = a.shape.findIndex((n, i) => n !== b.shape[i]);
    const axis = differing === -1 ? random.integer(0, a.shape.length - 1) : differing;
    return (operands) => concatenate(operands, axis);
  },
);

const reduction = one(hasRank(1, isFloat), false, (random, { value }) => {
  const axes = drawAxes(random, value.shape.length, 0.5);
  const keep = random.chance(0.4);
  const axis = random.integer(0, value.shape.length - 1);
  switch (random.integer(0, 4)) {
    case 0:
      return ([x]) => softmax(x, axis);
    case 1:
      return ([x]) => x.mean(axes, keep);
    case 2:
      return ([x]) => x.subtract(x.mean(axes, true));
    default:
      return ([x]) => x.sum(axes, keep);
  }
});

const extremum = one(
  hasRank(1, (entry) => isFloat(entry) && entry.value.data.length > 0),
  true,
  (random, { value }) => {
    const axes = drawAxes(random, value.shape.length, 0.5);
    const keep = random.chance(0.4);
    return random.chance(0.5) ? ([x]) => x.max(axes, keep) : ([x]) => x.min(axes, keep);
  },
);

/** Contracts one pair of axes of one length, and perhaps runs another pair as a batch. */
const dot = two(
  hasRank(1, isFloat),
  ({ value: a }) => hasRank(1, (b) => isFloat(b) && b.value.shape.some((n) => a.shape.includes(n))),
  false,
  (random, { value: a }, { value: b }) => {
    const pairs = a.shape.flatMap((m, i) => b.shape.flatMap((n, j) => (m === n ? [[i, j] as const] : [])));
    const [contract, batch] = random.shuffle(pairs);
    const apart = batch && batch[0] !== contract[0] && batch[1] !== contract[1] && random.chance(0.5);
    const dimensions = {
      lhsBatch: apart ? [batch[0]] : [],
      rhsBatch: apart ? [batch[1]] : [],
      lhsContract: [contract[0]],
      rhsContract: [contract[1]],
    };
    return ([x, y]) => dotGeneral(x, y, dimensions);
  },
);

const convolution = one(
  ({ value }) => value.shape.length === 4 && value.dtype === "f32" && value.data.length <= 2000,
  false,
  (random, { value }) => {
    const kernel = [random.integer(1, 3), random.integer(1, 3)] as const;
    const filter = random.array([...kernel, value.shape[3], random.pick([1, 3, 4, 8])]);
    const pad = (): readonly [number, number] => [random.integer(0, 2), random.integer(0, 2)];
    const strides = [random.integer(1, 2), random.integer(1, 2)] as const;
    const op = {
      kind: "convolution",
      strides,
      padding: [pad(), pad()],
      lhsDilation: [1, 1],
      rhsDilation: [1, 1],
    } as const;
    return ([x]) => new Tensor(op, [x, literal(filter)]);
  },
);

const rows = one(
  hasRank(1, (entry) => entry.value.shape[0] > 0 && entry.value.dtype !== "bool"),
  false,
  (random, { value }) => {
    const [length] = value.shape;
    const indices = random.array([random.integer(1, 6)], "i32", () => random.integer(0, length - 1));
    if (random.chance(0.6)) return ([x]) => x.gather(literal(indices));
    const targets = random.array([length], "i32", () => random.integer(-1, 3));
    return ([x]) => scatterAdd(literal(targets), x, 4);
  },
);

const MAKERS: readonly Maker[] = [
  one(isFloat, false, (random) => {
    const fn = random.pick(SMOOTH);
    return ([x]) => fn(x);
  }),
  one(isFloat, true, (random) => {
    const fn = random.pick(EXACT_UNARY);
    return ([x]) => fn(x);
  }),
  one(isExactFloat, true, (random) => {
    const fn = random.pick(STEPPED);
    return ([x]) => fn(x);
  }),
  one(isA("i32", "u32", "bool"), true, (random) => {
    const dtype = random.pick(["f32", "i32", "u32"] as const);
    return ([x]) => (dtype === "f32" ? x.convert("i32").and(7).convert("f32") : x.convert(dtype));
  }),
  two(isFloat, broadcasts, false, (random) => {
    const fn = random.pick(BINARY);
    return ([a, b]) => fn(a, b);
  }),
  two(isFloat, broadcasts, false, (random) => {
    const fn = random.pick(BINARY);
    return ([a, b]) => fn(a, b);
  }),
  two(isFloat, broadcasts, true, (random) => {
    const fn = random.pick(EXACT_BINARY);
    return ([a, b]) => fn(a, b);
  }),
  two(
    isExactFloat,
    (a) => (b) => b.exact && broadcasts(a)(b),
    true,
    (random) => {
      const direction = random.pick(["eq", "ne", "lt", "le", "gt", "ge"] as const);
      return ([a, b]) => a.compare(direction, b).select(a, b.negate());
    },
  ),
  two(isA("i32", "u32"), broadcasts, true, (random) => {
    const fn = random.pick(INTEGER);
    return ([a, b]) => fn(a, b);
  }),
  one(hasRank(1, isFloat), false, (random, { value }) => {
    const axis = random.integer(0, value.shape.length - 1);
    return ([x]) => x.multiply(iota(value.shape, axis, "f32").multiply(0.1).subtract(0.5));
  }),
  movement,
  movement,
  movement,
  joined,
  reduction,
  reduction,
  extremum,
  dot,
  dot,
  convolution,
  convolution,
  rows,
];

export function drawStep(random: Random, entries: readonly Entry[]): Step | undefined {
  return random.pick(MAKERS)(random, entries);
}
