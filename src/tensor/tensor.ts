import { castTo } from "./dtype.ts";
import type { DType } from "./dtype.ts";
import { INSPECT } from "./format.ts";
import { infer } from "./infer.ts";
import type { NdArray } from "./ndarray.ts";
import type { BinaryKind, Comparison, Op, Reduction, UnaryKind } from "./op.ts";
import { broadcastShapes, formatShape, normalizeAxes, normalizeAxis, range, sameShape, sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";
import type { Variable } from "./variable.ts";

export type TensorLike = Tensor | number;
type Axes = number | readonly number[];

let created = 0;
let evaluator: ((tensor: Tensor) => Promise<NdArray>) | undefined;

/** Says who computes tensors: nothing here knows a device. */
export function evaluateBy(evaluate: (tensor: Tensor) => Promise<NdArray>): void {
  evaluator = evaluate;
}

/**
 * A node of an immutable graph: an op, its operands, and the shape and dtype that follow. Nothing runs
 * when one is made; a backend compiles and runs whole graphs.
 */
export class Tensor {
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Creation order: an operand's id is always lower than its users'. */
  readonly id: number;

  constructor(op: Op, inputs: readonly Tensor[] = []) {
    const { shape, dtype } = infer(op, inputs);
    this.op = op;
    this.inputs = inputs;
    this.shape = shape;
    this.dtype = dtype;
    this.id = created++;
  }

  get rank(): number {
    return this.shape.length;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  // Elementwise: operands broadcast as in NumPy, and a number takes this tensor's dtype.

  add(other: TensorLike): Tensor {
    return binary("add", this, other);
  }
  subtract(other: TensorLike): Tensor {
    return binary("subtract", this, other);
  }
  multiply(other: TensorLike): Tensor {
    return binary("multiply", this, other);
  }
  divide(other: TensorLike): Tensor {
    return binary("divide", this, other);
  }
  maximum(other: TensorLike): Tensor {
    return binary("maximum", this, other);
  }
  minimum(other: TensorLike): Tensor {
    return binary("minimum", this, other);
  }
  power(other: TensorLike): Tensor {
    return binary("power", this, other);
  }
  and(other: TensorLike): Tensor {
    return binary("and", this, other);
  }
  or(other: TensorLike): Tensor {
    return binary("or", this, other);
  }
  xor(other: TensorLike): Tensor {
    return binary("xor", this, other);
  }
  shiftLeft(other: TensorLike): Tensor {
    return binary("shift_left", this, other);
  }
  shiftRight(other: TensorLike): Tensor {
    return binary("shift_right", this, other);
  }
  negate(): Tensor {
    return unary("negate", this);
  }
  exp(): Tensor {
    return unary("exponential", this);
  }
  log(): Tensor {
    return unary("log", this);
  }
  sqrt(): Tensor {
    return unary("sqrt", this);
  }
  rsqrt(): Tensor {
    return unary("rsqrt", this);
  }
  tanh(): Tensor {
    return unary("tanh", this);
  }
  /** 1 / (1 + exp(-x)) */
  sigmoid(): Tensor {
    return unary("logistic", this);
  }
  erf(): Tensor {
    return unary("erf", this);
  }
  sin(): Tensor {
    return unary("sine", this);
  }
  cos(): Tensor {
    return unary("cosine", this);
  }
  abs(): Tensor {
    return unary("abs", this);
  }
  sign(): Tensor {
    return unary("sign", this);
  }
  floor(): Tensor {
    return unary("floor", this);
  }
  /** This value as a constant to grad(). */
  stopGradient(): Tensor {
    return unary("stop_gradient", this);
  }
  square(): Tensor {
    return this.multiply(this);
  }
  clamp(low: number, high: number): Tensor {
    const bound = (value: number): Tensor => full(this.shape, value, this.dtype);
    return new Tensor({ kind: "clamp" }, [bound(low), this, bound(high)]);
  }
  compare(direction: Comparison, other: TensorLike): Tensor {
    const [a, b] = broadcastTogether("compare", this, lift(other, this.dtype));
    return new Tensor({ kind: "compare", direction }, [a, b]);
  }
  /** Picks `onTrue` where this bool tensor holds, `onFalse` elsewhere. */
  select(onTrue: TensorLike, onFalse: TensorLike): Tensor {
    const dtype = onTrue instanceof Tensor ? onTrue.dtype : onFalse instanceof Tensor ? onFalse.dtype : "f32";
    const [a, b] = broadcastTogether("select", lift(onTrue, dtype), lift(onFalse, dtype));
    const shape = broadcastShapes("select", this.shape, a.shape);
    return new Tensor({ kind: "select" }, [this.broadcastTo(shape), a.broadcastTo(shape), b.broadcastTo(shape)]);
  }
  /** Floats become integers by truncation; a bool becomes 0 or 1. */
  convert(dtype: DType): Tensor {
    return dtype === this.dtype ? this : new Tensor({ kind: "convert", dtype }, [this]);
  }

  // Movement

  /** One dimension may be -1: it takes what is left. */
  reshape(shape: Shape): Tensor {
    const known = sizeOf(shape.filter((n) => n !== -1));
    const free = shape.filter((n) => n === -1).length;
    if (free > 1 || (free === 1 && !Number.isInteger(this.size / known))) {
      throw new Error(
        `reshape: cannot fill ${formatShape(shape)} with the ${this.size} elements of ${formatShape(this.shape)}`,
      );
    }
    const full = shape.map((n) => (n === -1 ? this.size / known : n));
    return sameShape(full, this.shape) ? this : new Tensor({ kind: "reshape", shape: full }, [this]);
  }
  /** Output axis i is input axis permutation[i]; without an argument the axes turn around. */
  transpose(permutation: readonly number[] = range(this.rank).toReversed()): Tensor {
    return permutation.every((axis, i) => axis === i) && permutation.length === this.rank
      ? this
      : new Tensor({ kind: "transpose", permutation }, [this]);
  }
  /** NumPy's broadcasting to a shape of the same or a higher rank. */
  broadcastTo(shape: Shape): Tensor {
    if (sameShape(shape, this.shape)) return this;
    const dimensions = range(this.rank).map((axis) => axis + shape.length - this.rank);
    return new Tensor({ kind: "broadcast_in_dim", shape, dimensions }, [this]);
  }
  /** Elements start, start + step, ... below limit, of one axis. */
  slice(axis: number, start: number, limit: number, step = 1): Tensor {
    const at = normalizeAxis("slice", axis, this.rank);
    if (start === 0 && limit === this.shape[at] && step === 1) return this;
    const zeros = this.shape.map(() => 0);
    return new Tensor(
      {
        kind: "slice",
        start: zeros.with(at, start),
        limit: this.shape.with(at, limit),
        strides: this.shape.map(() => 1).with(at, step),
      },
      [this],
    );
  }
  /** Equal parts along an axis. */
  chunk(parts: number, axis = -1): Tensor[] {
    const at = normalizeAxis("chunk", axis, this.rank);
    const length = this.shape[at] / parts;
    if (!Number.isInteger(length))
      throw new Error(`chunk: axis of ${this.shape[at]} does not split into ${parts} equal parts`);
    return range(parts).map((i) => this.slice(at, i * length, (i + 1) * length));
  }
  /** [low, high] per axis; negative amounts crop. */
  pad(amounts: readonly (readonly [number, number])[], value = 0): Tensor {
    if (amounts.length === this.rank && amounts.flat().every((n) => n === 0)) return this;
    const op: Op = {
      kind: "pad",
      low: amounts.map(([low]) => low),
      high: amounts.map(([, high]) => high),
      interior: amounts.map(() => 0),
      value,
    };
    return new Tensor(op, [this]);
  }
  reverse(axes: Axes): Tensor {
    const list = normalizeAxes("reverse", axes, this.rank);
    return list.length === 0 ? this : new Tensor({ kind: "reverse", axes: list }, [this]);
  }
  /** Rows of this table: indices [...I] (clamped to the table) give [...I, ...this.shape.slice(1)]. */
  gather(indices: Tensor): Tensor {
    return new Tensor({ kind: "gather" }, [this, indices]);
  }

  // Reductions, over all axes unless some are named

  sum(axes?: Axes, keepDims = false): Tensor {
    return reduce("sum", this, axes, keepDims);
  }
  max(axes?: Axes, keepDims = false): Tensor {
    return reduce("max", this, axes, keepDims);
  }
  min(axes?: Axes, keepDims = false): Tensor {
    return reduce("min", this, axes, keepDims);
  }
  mean(axes?: Axes, keepDims = false): Tensor {
    if (this.dtype !== "f32") throw new Error(`mean: operand must be f32, got ${this.dtype}`);
    const count = normalizeAxes("mean", axes, this.rank).reduce((n, axis) => n * this.shape[axis], 1);
    return this.sum(axes, keepDims).multiply(1 / count);
  }

  // Contractions

  /** [..., m, k] x [..., k, n] -> [..., m, n]; leading axes broadcast. */
  matmul(other: Tensor): Tensor {
    if (this.rank < 2 || other.rank < 2 || this.shape.at(-1) !== other.shape.at(-2)) {
      throw new Error(
        `matmul: inner dimensions must agree, got ${formatShape(this.shape)} and ${formatShape(other.shape)}`,
      );
    }
    const batch = broadcastShapes("matmul", this.shape.slice(0, -2), other.shape.slice(0, -2));
    const axes = range(batch.length);
    return dotGeneral(
      this.broadcastTo([...batch, ...this.shape.slice(-2)]),
      other.broadcastTo([...batch, ...other.shape.slice(-2)]),
      {
        lhsBatch: axes,
        rhsBatch: axes,
        lhsContract: [batch.length + 1],
        rhsContract: [batch.length],
      },
    );
  }

  /**
   * Computes a tensor that needs no inputs, on the default backend: to look at a value. What runs often is compiled once.
   *
   * @example
   * console.log(await scalar(2).add(3).evaluate()); // f32 [] 5
   */
  async evaluate(): Promise<NdArray> {
    if (!evaluator) throw new Error("evaluate: import it from the package's entry, which brings a device");
    return evaluator(this);
  }

  [INSPECT](): string {
    return this.toString();
  }

  toString(): string {
    return `%${this.id} = ${this.op.kind}(${this.inputs.map((x) => `%${x.id}`).join(", ")}) : ${this.dtype}${formatShape(this.shape)}`;
  }
}

/** A scalar constant. An f32 is rounded; integers must be whole and wrap. */
export function scalar(value: number, dtype: DType = "f32"): Tensor {
  if (dtype !== "f32" && !Number.isInteger(value))
    throw new Error(`scalar: ${dtype} must be a whole number, got ${value}`);
  return new Tensor({ kind: "constant", value: castTo(dtype, value), dtype });
}

/** A tensor whose elements all hold one value. */
export function full(shape: Shape, value: number, dtype: DType = "f32"): Tensor {
  return scalar(value, dtype).broadcastTo(shape);
}

/** A small table that is part of the program, such as a noise schedule. */
export function literal(array: NdArray): Tensor {
  return new Tensor({ kind: "literal", data: array.data, shape: array.shape, dtype: array.dtype });
}

/** Counts 0, 1, 2, ... along one axis. */
export function iota(shape: Shape, axis = 0, dtype: DType = "i32"): Tensor {
  return new Tensor({ kind: "iota", shape, axis: normalizeAxis("iota", axis, shape.length), dtype });
}

const leaves = new WeakMap<Variable, Tensor>();

/** The value of a variable at the start of the program that uses it. */
export function valueOf(variable: Variable): Tensor {
  const known = leaves.get(variable);
  if (known) return known;
  const leaf = variable.packed ? unpacked(variable, variable.packed) : new Tensor({ kind: "variable", variable });
  leaves.set(variable, leaf);
  return leaf;
}

/** The values of a variable that is stored in half the width (see half-storage.ts), as f32. */
function unpacked({ shape, storage }: Variable, packed: Variable): Tensor {
  const both = [2, ...packed.shape];
  const words = valueOf(packed).broadcastTo(both);
  // The half's bits as the upper ones of a word.
  const upper = iota(both, 0).compare("eq", 1).select(words.and(0xffff0000), words.shiftLeft(16));
  const float = (bits: Tensor): Tensor => new Tensor({ kind: "bitcast_convert" }, [bits]);
  if (storage === "bf16") return float(upper).reshape(shape);
  // f16 has its exponent three bits further to the left, and counts it from 15 instead of 127.
  const magnitude = float(upper.and(0x7fff0000).shiftRight(3)).multiply(2 ** 112);
  return upper.compare("ge", 0x80000000).select(magnitude.negate(), magnitude).reshape(shape);
}

export function concatenate(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 1) return tensors[0];
  if (tensors.length === 0) throw new Error("concatenate: needs at least one tensor");
  return new Tensor({ kind: "concatenate", axis: normalizeAxis("concatenate", axis, tensors[0].rank) }, tensors);
}

export interface DotDimensions {
  readonly lhsBatch: readonly number[];
  readonly rhsBatch: readonly number[];
  readonly lhsContract: readonly number[];
  readonly rhsContract: readonly number[];
}

/** StableHLO's dot_general: batch axes first, then the free axes of lhs, then those of rhs. */
export function dotGeneral(lhs: Tensor, rhs: Tensor, dimensions: DotDimensions): Tensor {
  return new Tensor({ kind: "dot_general", ...dimensions }, [lhs, rhs]);
}

/** Adds rows of `updates` [...I, ...S] into a zero table [rows, ...S] at `indices` [...I]. */
export function scatterAdd(indices: Tensor, updates: Tensor, rows: number): Tensor {
  return new Tensor({ kind: "scatter_add", rows }, [indices, updates]);
}

function unary(kind: UnaryKind, x: Tensor): Tensor {
  return new Tensor({ kind }, [x]);
}

function lift(value: TensorLike, dtype: DType): Tensor {
  return value instanceof Tensor ? value : scalar(value, dtype);
}

function broadcastTogether(op: string, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const shape = broadcastShapes(op, a.shape, b.shape);
  return [a.broadcastTo(shape), b.broadcastTo(shape)];
}

function binary(kind: BinaryKind, a: Tensor, other: TensorLike): Tensor {
  return new Tensor({ kind }, broadcastTogether(kind, a, lift(other, a.dtype)));
}

function reduce(reduction: Reduction, x: Tensor, axes: Axes | undefined, keepDims: boolean): Tensor {
  const list = normalizeAxes(reduction, axes, x.rank);
  const reduced = list.length === 0 ? x : new Tensor({ kind: "reduce", reduction, axes: list }, [x]);
  return keepDims ? reduced.reshape(x.shape.map((n, axis) => (list.includes(axis) ? 1 : n))) : reduced;
}
