import { castTo } from "../../tensor/dtype.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { Op, OpKind, OpOf } from "../../tensor/op.ts";
import { isMovement } from "../../tensor/op.ts";
import { range, sameShape } from "../../tensor/shape.ts";
import { Tensor, full } from "../../tensor/tensor.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import type { Variable } from "../../tensor/variable.ts";

/** Rebuilds a graph bottom-up through `build`, which makes or replaces each node. */
export function rebuild(graph: Graph, build: (op: Op, inputs: readonly Tensor[]) => Tensor): Graph {
  const rebuilt = new Map<Tensor, Tensor>();
  const resolve = (node: Tensor): Tensor => {
    const known = rebuilt.get(node);
    if (!known) throw new Error(`internal: ${node.op.kind} was not rebuilt before its user`);
    return known;
  };
  for (const node of topologicalOrder([...graph.inputs, ...rootsOf(graph)]))
    rebuilt.set(node, build(node.op, node.inputs.map(resolve)));
  return {
    inputs: graph.inputs.map(resolve),
    outputs: graph.outputs.map(resolve),
    updates: graph.updates.map(({ variable, value }) => ({ variable, value: resolve(value) })),
  };
}

/** Equal subgraphs become one node, constants fold, and what changes nothing goes away. */
export function simplify(graph: Graph): Graph {
  return rebuild(graph, new Simplifier().build);
}

/** Makes nodes so that no two are equal. */
export class HashConsing {
  readonly #nodes = new Map<string, Tensor>();
  readonly #identities = new Map<TypedArray | Variable, number>();

  make(op: Op, inputs: readonly Tensor[]): Tensor {
    const key = `${this.#attributes(op)}(${inputs.map((x) => x.id).join()})`;
    const known = this.#nodes.get(key);
    if (known) return known;
    const node = new Tensor(op, inputs);
    this.#nodes.set(key, node);
    return node;
  }

  #attributes(op: Op): string {
    if (op.kind === "literal") return `literal ${this.#identity(op.data)} ${op.shape.join()}`;
    if (op.kind === "variable") return `variable ${this.#identity(op.variable)}`;
    if (op.kind === "constant") return `constant ${op.dtype} ${Object.is(op.value, -0) ? "-0" : op.value}`;
    return JSON.stringify(op);
  }

  #identity(object: TypedArray | Variable): number {
    const known = this.#identities.get(object) ?? this.#identities.size;
    this.#identities.set(object, known);
    return known;
  }
}

type Build = (op: Op, inputs: readonly Tensor[]) => Tensor;
type Rule<K extends OpKind> = (op: OpOf<K>, inputs: readonly Tensor[], build: Build) => Tensor | undefined;

/** The value that every element has, where that is known. */
export function uniformValue(x: Tensor): number | undefined {
  let node = x;
  while (node.op.kind === "broadcast_in_dim" || node.op.kind === "reshape") node = node.inputs[0];
  return node.op.kind === "constant" ? node.op.value : undefined;
}

const isUniform = (x: Tensor, value: number): boolean => uniformValue(x) === value;

/** Adding +0 keeps every x but -0, whose sign no user of a sum relies on. */
const rules: { readonly [K in OpKind]?: readonly Rule<K>[] } = {
  stop_gradient: [(_, [x]) => x],
  negate: [
    (_, [x]) => (x.op.kind === "negate" ? x.inputs[0] : undefined), // -(-x) -> x
  ],
  add: [
    (_, [a, b]) => (isUniform(b, 0) ? a : undefined), // x + 0 -> x
    (_, [a, b]) => (isUniform(a, 0) ? b : undefined), // 0 + x -> x
    (_, [a, b], build) => (b.op.kind === "negate" ? build({ kind: "subtract" }, [a, b.inputs[0]]) : undefined), // a + (-b) -> a - b
    (_, [a, b], build) => joinPads(a, b, build),
  ],
  subtract: [
    (_, [a, b]) => (isUniform(b, 0) ? a : undefined), // x - 0 -> x
  ],
  multiply: [
    (_, [a, b]) => (isUniform(b, 1) ? a : undefined), // x * 1 -> x
    (_, [a, b]) => (isUniform(a, 1) ? b : undefined), // 1 * x -> x
    (_, [a, b], build) => (isUniform(b, -1) ? build({ kind: "negate" }, [a]) : undefined), // x * -1 -> -x
  ],
  divide: [
    (_, [a, b]) => (isUniform(b, 1) ? a : undefined), // x / 1 -> x
  ],
  power: [
    (_, [a, b]) => (isUniform(b, 1) ? a : undefined), // x^1 -> x
    (_, [a, b], build) => (isUniform(b, 2) ? build({ kind: "multiply" }, [a, a]) : undefined), // x^2 -> x * x
  ],
  select: [
    (_, [condition, a, b]) => {
      const known = uniformValue(condition);
      return known === undefined ? undefined : known === 0 ? b : a; // select(true, a, b) -> a
    },
    (_, [, a, b]) => (a === b ? a : undefined), // select(c, a, a) -> a
  ],
  convert: [(op, [x]) => (op.dtype === x.dtype ? x : undefined)],
  broadcast_in_dim: [
    (op, [x]) => (sameShape(op.shape, x.shape) ? x : undefined),
    // broadcast of broadcast -> one broadcast
    (op, [x], build) =>
      x.op.kind === "broadcast_in_dim"
        ? build({ ...op, dimensions: x.op.dimensions.map((axis) => op.dimensions[axis]) }, x.inputs)
        : undefined,
    // a broadcast that adds nothing but axes of 1 -> reshape
    (op, [x], build) =>
      op.shape.reduce((a, b) => a * b, 1) === x.size ? build({ kind: "reshape", shape: op.shape }, [x]) : undefined,
  ],
  reshape: [
    (op, [x]) => (sameShape(op.shape, x.shape) ? x : undefined),
    (op, [x], build) => (x.op.kind === "reshape" ? build(op, x.inputs) : undefined), // reshape of reshape -> reshape
  ],
  transpose: [
    (op, [x]) => (op.permutation.every((axis, i) => axis === i) ? x : undefined),
    // transpose of transpose -> transpose
    (op, [x], build) => {
      if (x.op.kind !== "transpose") return undefined;
      const inner = x.op.permutation;
      return build({ kind: "transpose", permutation: op.permutation.map((axis) => inner[axis]) }, x.inputs);
    },
    // moving only axes of 1 -> reshape
    (op, [x], build) => {
      const moved = op.permutation.filter((axis) => x.shape[axis] !== 1);
      const inOrder = moved.every((axis, i) => i === 0 || axis > moved[i - 1]);
      return inOrder ? build({ kind: "reshape", shape: op.permutation.map((axis) => x.shape[axis]) }, [x]) : undefined;
    },
  ],
  slice: [
    (op, [x]) =>
      op.start.every((start, i) => start === 0 && op.limit[i] === x.shape[i] && op.strides[i] === 1) ? x : undefined,
  ],
  pad: [(op, [x]) => ([...op.low, ...op.high, ...op.interior].every((n) => n === 0) ? x : undefined)],
  reverse: [(op, [x]) => (op.axes.every((axis) => x.shape[axis] <= 1) ? x : undefined)],
  concatenate: [
    (_, inputs) => (inputs.length === 1 ? inputs[0] : undefined),
    // concatenate(concatenate(a, b), c) -> concatenate(a, b, c)
    (op, inputs, build) => {
      const isNested = (x: Tensor): boolean => x.op.kind === "concatenate" && x.op.axis === op.axis;
      return inputs.some(isNested)
        ? build(
            op,
            inputs.flatMap((x) => (isNested(x) ? x.inputs : [x])),
          )
        : undefined;
    },
  ],
  reduce: [
    (op, [x], build) =>
      op.axes.every((axis) => x.shape[axis] === 1)
        ? build({ kind: "reshape", shape: x.shape.filter((_, axis) => !op.axes.includes(axis)) }, [x])
        : undefined,
    // a sum of sums -> one sum
    (op, [x], build) => {
      if (x.op.kind !== "reduce" || x.op.reduction !== op.reduction) return undefined;
      const inner = x.op.axes;
      const kept = range(x.inputs[0].rank).filter((axis) => !inner.includes(axis));
      return build(
        { ...op, axes: [...inner, ...op.axes.map((axis) => kept[axis])].toSorted((a, b) => a - b) },
        x.inputs,
      );
    },
  ],
};

/** A pad that only adds zeros, at both ends of one axis. */
function zerosAround(x: Tensor): { inner: Tensor; axis: number; low: number; high: number } | undefined {
  if (x.op.kind !== "pad" || x.op.value !== 0 || x.op.interior.some((n) => n > 0)) return undefined;
  const { low, high } = x.op;
  const padded = range(x.rank).filter((axis) => low[axis] !== 0 || high[axis] !== 0);
  const [axis] = padded;
  if (padded.length !== 1 || low[axis] < 0 || high[axis] < 0) return undefined;
  return { inner: x.inputs[0], axis, low: low[axis], high: high[axis] };
}

/** 0 a 0 0 + 0 0 b 0 -> 0 a b 0, where a ends as b starts; what differentiating slices gives. */
function joinPads(a: Tensor, b: Tensor, build: Build): Tensor | undefined {
  const [first, second] = [zerosAround(a), zerosAround(b)];
  if (!first || !second || first.axis !== second.axis) return undefined;
  const { axis } = first;
  const length = a.shape[axis];
  if (first.low > second.low) return joinPads(b, a, build);
  if (length - first.high !== second.low) return undefined;
  const joined = build({ kind: "concatenate", axis }, [first.inner, second.inner]);
  const zeros = a.shape.map(() => 0);
  return build(
    { kind: "pad", low: zeros.with(axis, first.low), high: zeros.with(axis, second.high), interior: zeros, value: 0 },
    [joined],
  );
}

const folds: { readonly [K in OpKind]?: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  maximum: (a, b) => (a > b || Number.isNaN(a) ? a : b),
  minimum: (a, b) => (a < b || Number.isNaN(a) ? a : b),
  negate: (a) => -a,
  sqrt: (a) => Math.sqrt(a),
};

class Simplifier {
  readonly #nodes = new HashConsing();

  readonly build = (op: Op, inputs: readonly Tensor[]): Tensor =>
    this.#fold(op, inputs) ?? this.#rewrite(op, inputs) ?? this.#nodes.make(op, inputs);

  #rewrite(op: Op, inputs: readonly Tensor[]): Tensor | undefined {
    for (const rule of (rules[op.kind] ?? []) as readonly Rule<OpKind>[]) {
      const replacement = rule(op, inputs, this.build);
      if (replacement) return replacement;
    }
    return undefined;
  }

  /** Elementwise arithmetic on constants, in float, and movement of a constant. */
  #fold(op: Op, inputs: readonly Tensor[]): Tensor | undefined {
    if (inputs.length === 0) return undefined;
    const values = inputs.map(uniformValue);
    if (!values.every((value) => value !== undefined)) return undefined;
    const fold = inputs[0].dtype === "f32" ? folds[op.kind] : undefined;
    if (fold) return this.#uniform(inputs[0].shape, castTo("f32", fold(values[0], values[1])), inputs[0]);
    const moves = isMovement(op) && op.kind !== "pad" && op.kind !== "broadcast_in_dim" && op.kind !== "concatenate";
    return moves ? this.#uniform(new Tensor(op, inputs).shape, values[0], inputs[0]) : undefined;
  }

  #uniform(shape: readonly number[], value: number, like: Tensor): Tensor {
    const leaf = full([], value, like.dtype);
    const node = this.#nodes.make(leaf.op, []);
    return shape.length === 0 ? node : this.#nodes.make({ kind: "broadcast_in_dim", shape, dimensions: [] }, [node]);
  }
}
