import type { OpOf } from "../tensor/op.ts";
import { isElementwise } from "../tensor/op.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { axisAffine, constantAffine, divide, flatten, sameAffine, scaleAffine, shiftAffine } from "./affine.ts";
import type { Affine, AxisSplit } from "./affine.ts";
import type { Buffer, Expression, ScalarOp } from "./program.ts";

/** Thrown to restart an expression with one loop axis split in two. No error, which would record the stack each time. */
export class NeedsSplit {
  readonly split: AxisSplit;
  constructor(split: AxisSplit) {
    this.split = split;
  }
}

/** Thrown where an index would not be linear in the loop axes: the tensor has to be stored first. */
export class NeedsStorage extends Error {
  readonly tensor: Tensor;
  constructor(tensor: Tensor) {
    super(`internal: ${tensor.op.kind} has to be stored`);
    this.tensor = tensor;
  }
}

/** Coordinates of a tensor's element as functions of the loop axes. */
export type Coordinates = readonly Affine[];

export function sameCoordinates(a: Coordinates, b: Coordinates): boolean {
  return a.length === b.length && a.every((c, i) => c === b[i] || sameAffine(c, b[i]));
}

export interface ExpressionContext {
  readonly axes: readonly number[];
  /** The buffer of a tensor that is stored before this kernel runs. */
  bufferOf(tensor: Tensor): Buffer | undefined;
  /** The slot of a tensor that the kernel itself reduces or contracts. */
  slotOf(tensor: Tensor): number | undefined;
}

/**
 * Turns a tensor at given coordinates into an expression over loop axes: movement becomes index arithmetic,
 * elementwise ops become scalar ones, stored tensors become loads.
 */
export class ExpressionBuilder {
  readonly #context: ExpressionContext;
  readonly #memo = new Map<Tensor, { readonly coordinates: Coordinates; readonly expression: Expression }[]>();
  /** Where the kernel's own results were read. */
  readonly resultCoordinates = new Map<number, Coordinates>();

  constructor(context: ExpressionContext) {
    this.#context = context;
  }

  at(tensor: Tensor, coordinates: Coordinates): Expression {
    const known = this.#memo.get(tensor);
    const twin = known?.find((other) => sameCoordinates(other.coordinates, coordinates));
    if (twin) return twin.expression;
    const expression = this.#build(tensor, coordinates);
    const built = { coordinates, expression };
    if (known) known.push(built);
    else this.#memo.set(tensor, [built]);
    return expression;
  }

  #build(tensor: Tensor, coordinates: Coordinates): Expression {
    const { op, inputs, dtype } = tensor;
    const slot = this.#context.slotOf(tensor);
    if (slot !== undefined) {
      const known = this.resultCoordinates.get(slot);
      // A kernel knows its result at one place only.
      if (known && !sameCoordinates(known, coordinates)) throw new NeedsStorage(tensor);
      this.resultCoordinates.set(slot, coordinates);
      return { kind: "result", dtype, slot };
    }
    const buffer = this.#context.bufferOf(tensor);
    if (buffer) return { kind: "load", dtype, buffer, index: flatten(coordinates, tensor.shape, this.#rank) };
    if (isElementwise(op)) {
      return { kind: "apply", dtype, op: op as ScalarOp, args: inputs.map((x) => this.at(x, coordinates)) };
    }
    switch (op.kind) {
      case "constant":
        return { kind: "constant", dtype, value: op.value };
      case "iota":
        return { kind: "index", dtype, index: coordinates[op.axis] };
      case "pad":
        return this.#pad(tensor, op, coordinates);
      case "concatenate":
        return this.#concatenate(tensor, op, coordinates);
      case "gather":
        return this.#gather(tensor, coordinates);
      case "reshape":
        return this.#reshape(inputs[0], tensor.shape, coordinates);
      case "broadcast_in_dim":
      case "transpose":
      case "slice":
      case "reverse":
        return this.at(inputs[0], this.#moved(tensor, op, coordinates));
      default:
        throw new Error(`internal: ${op.kind} is read before it is stored`);
    }
  }

  get #rank(): number {
    return this.#context.axes.length;
  }

  #moved(
    tensor: Tensor,
    op: OpOf<"broadcast_in_dim" | "transpose" | "slice" | "reverse">,
    at: Coordinates,
  ): Coordinates {
    const { shape } = tensor.inputs[0];
    switch (op.kind) {
      case "broadcast_in_dim":
        return op.dimensions.map((axis, i) => (shape[i] === 1 ? constantAffine(0, this.#rank) : at[axis]));
      case "transpose":
        return shape.map((_, axis) => at[op.permutation.indexOf(axis)]);
      case "slice":
        return at.map((c, axis) => shiftAffine(scaleAffine(c, op.strides[axis]), op.start[axis]));
      case "reverse":
        return at.map((c, axis) => (op.axes.includes(axis) ? shiftAffine(scaleAffine(c, -1), shape[axis] - 1) : c));
    }
  }

  #pad({ inputs: [x], dtype }: Tensor, op: OpOf<"pad">, at: Coordinates): Expression {
    const inner = at.map((c, axis) => shiftAffine(c, -op.low[axis]));
    const outside: Expression = { kind: "constant", dtype, value: op.value };
    if (x.size === 0) return outside;
    return x.shape.reduce<Expression>(
      (inside, n, axis) =>
        op.low[axis] <= 0 && op.high[axis] <= 0
          ? inside
          : { kind: "within", dtype, index: inner[axis], low: 0, high: n, inside, outside },
      this.at(x, inner),
    );
  }

  #concatenate({ inputs, dtype }: Tensor, op: OpOf<"concatenate">, at: Coordinates): Expression {
    const parts = inputs.filter((x) => x.shape[op.axis] > 0);
    if (parts.length === 0) return { kind: "constant", dtype, value: 0 }; // of no element
    let start = 0;
    const starts = parts.map((x) => (start += x.shape[op.axis]) - x.shape[op.axis]);
    const partAt = (i: number): Expression => this.at(parts[i], at.with(op.axis, shiftAffine(at[op.axis], -starts[i])));
    let result = partAt(parts.length - 1);
    for (let i = parts.length - 2; i >= 0; i--) {
      const inside = partAt(i);
      result = {
        kind: "within",
        dtype,
        index: at[op.axis],
        low: starts[i],
        high: starts[i + 1],
        inside,
        outside: result,
      };
    }
    return result;
  }

  #gather({ inputs: [table, indices], dtype }: Tensor, at: Coordinates): Expression {
    const buffer = this.#context.bufferOf(table);
    if (!buffer) throw new NeedsStorage(table);
    const rest = table.shape.slice(1);
    const stride = rest.reduce((product, n) => product * n, 1);
    const row = this.at(indices, at.slice(0, indices.rank));
    const index = flatten(at.slice(indices.rank), rest, this.#rank);
    return { kind: "load", dtype, buffer, index, row: { row, stride, rows: table.shape[0] } };
  }

  #reshape(x: Tensor, shape: readonly number[], at: Coordinates): Expression {
    const buffer = this.#context.bufferOf(x);
    if (buffer) return { kind: "load", dtype: x.dtype, buffer, index: flatten(at, shape, this.#rank) };
    return this.at(x, this.#unreshape(x, shape, at));
  }

  /** Coordinates before a reshape. Runs of axes with equal products are treated apart, so that most stay simple. */
  #unreshape(x: Tensor, shape: readonly number[], at: Coordinates): Coordinates {
    if (x.size === 0) return x.shape.map(() => constantAffine(0, this.#rank));
    const result: Affine[] = [];
    let from = 0;
    let to = 0;
    while (from < x.rank || to < shape.length) {
      const [fromStart, toStart] = [from, to];
      let [before, after] = [x.shape[from++] ?? 1, shape[to++] ?? 1];
      while (before !== after) {
        if (before < after) before *= x.shape[from++];
        else after *= shape[to++];
      }
      result.push(
        ...this.#unflatten(
          x,
          x.shape.slice(fromStart, from),
          flatten(at.slice(toStart, to), shape.slice(toStart, to), this.#rank),
        ),
      );
    }
    return result;
  }

  #unflatten(x: Tensor, sizes: readonly number[], flat: Affine): Affine[] {
    const result: Affine[] = [];
    let rest = flat;
    for (let i = sizes.length - 1; i > 0; i--) {
      const division = divide(rest, sizes[i], this.#context.axes);
      // oxlint-disable-next-line typescript/only-throw-error -- a request, which many expressions make
      if (division.kind === "split") throw new NeedsSplit(division.split);
      if (division.kind === "nonlinear") throw new NeedsStorage(x);
      result.unshift(division.remainder);
      rest = division.quotient;
    }
    if (sizes.length > 0) result.unshift(rest);
    return result;
  }
}

/** Loop axes of a shape, some of them split, and the shape's coordinates over them (0 along dimensions of 1). */
export interface Space {
  readonly axes: readonly number[];
  /** One entry per dimension of the shape. */
  readonly coordinates: Coordinates;
}

export function spaceOf(shape: readonly number[]): Space {
  const rank = shape.length;
  return {
    axes: shape,
    coordinates: shape.map((n, axis) => (n === 1 ? constantAffine(0, rank) : axisAffine(axis, rank))),
  };
}

function splitSpace(space: Space, { axis, inner }: AxisSplit): Space {
  const axes = space.axes.toSpliced(axis, 1, space.axes[axis] / inner, inner);
  const coordinates = space.coordinates.map(({ offset, coefficients }) => {
    const c = coefficients[axis];
    return { offset, coefficients: coefficients.toSpliced(axis, 1, c * inner, c) };
  });
  return { axes, coordinates };
}

/** Runs `build` over a space, splitting its axes until every index is linear. */
export function buildOver<T>(shape: readonly number[], build: (space: Space) => T): T {
  let space = spaceOf(shape);
  for (;;) {
    try {
      return build(space);
    } catch (request) {
      if (!(request instanceof NeedsSplit)) throw request;
      space = splitSpace(space, request.split);
    }
  }
}
