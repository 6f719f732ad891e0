import type { ConvolutionWindow, OpKind, OpOf, SpatialPadding } from "../op.ts";
import { attentionGradients, composeAttention, logsumexpGradients } from "../attention.ts";
import { pullBack } from "./pull-back.ts";
import { range } from "../shape.ts";
import { softmaxGradient, varianceGradient } from "../composites.ts";
import type { Shape } from "../shape.ts";
import { Tensor, dotGeneral, scatterAdd } from "../tensor.ts";

/** From the cotangent of a node to those of its operands; undefined where none flows. */
type Vjp<K extends OpKind> = (node: Tensor, cotangent: Tensor, op: OpOf<K>) => (Tensor | undefined)[];

const none = (node: Tensor): undefined[] => node.inputs.map(() => undefined);

const SQRT_PI = Math.sqrt(Math.PI);

/** d max(a, b): where the operands tie, each takes half. */
const extremum = (node: Tensor, g: Tensor, op: { readonly kind: "maximum" | "minimum" }): Tensor[] => {
  const [a, b] = node.inputs;
  const share = (wins: Tensor): Tensor => wins.select(g, a.compare("eq", b).select(g.multiply(0.5), 0));
  const direction = op.kind === "maximum" ? "gt" : "lt";
  return [share(a.compare(direction, b)), share(b.compare(direction, a))];
};

/** Vector-Jacobian product of every op. Non-differentiable operands and integer ops give undefined. */
const table: { readonly [K in OpKind]: Vjp<K> } = {
  input: none,
  variable: none,
  constant: none,
  literal: none,
  iota: none,
  negate: (_, g) => [g.negate()],
  exponential: (y, g) => [g.multiply(y)],
  log: (node, g) => [g.divide(node.inputs[0])],
  sqrt: (y, g) => [g.multiply(0.5).divide(y)],
  rsqrt: (y, g) => [g.multiply(-0.5).multiply(y).multiply(y).multiply(y)],
  tanh: (y, g) => [g.multiply(y.square().negate().add(1))],
  logistic: (y, g) => [g.multiply(y).multiply(y.negate().add(1))],
  erf: (node, g) => [g.multiply(node.inputs[0].square().negate().exp()).multiply(2 / SQRT_PI)],
  sine: (node, g) => [g.multiply(node.inputs[0].cos())],
  cosine: (node, g) => [g.multiply(node.inputs[0].sin()).negate()],
  abs: (node, g) => [g.multiply(node.inputs[0].sign())],
  sign: none,
  floor: none,
  stop_gradient: none,
  add: (_, g) => [g, g],
  subtract: (_, g) => [g, g.negate()],
  multiply: (node, g) => [g.multiply(node.inputs[1]), g.multiply(node.inputs[0])],
  divide: (y, g) => {
    const byA = g.divide(y.inputs[1]);
    return [byA, byA.multiply(y).negate()];
  },
  maximum: extremum,
  minimum: extremum,
  power: (y, g) => {
    const [a, b] = y.inputs;
    // d/da a^b = b a^(b - 1); at b = 0 the product is 0, not 0 * inf.
    const byA = b.compare("eq", 0).select(0, b.multiply(a.power(b.subtract(1))));
    // d/db a^b = a^b log a; at a = 0 the product is 0, not 0 * -inf.
    const logA = a.compare("gt", 0).select(a.maximum(1e-38).log(), 0);
    return [g.multiply(byA), g.multiply(y).multiply(logA)];
  },
  and: none,
  or: none,
  xor: none,
  shift_left: none,
  shift_right: none,
  compare: none,
  select: (node, g) => {
    const [condition] = node.inputs;
    return [undefined, condition.select(g, 0), condition.select(0, g)];
  },
  clamp: (node, g) => {
    const [low, x, high] = node.inputs;
    const below = x.compare("lt", low);
    const above = x.compare("gt", high);
    return [below.select(g, 0), below.or(above).select(0, g), above.select(g, 0)];
  },
  bitcast_convert: none,
  convert: (node, g) => [node.inputs[0].dtype === "f32" ? g : undefined],
  broadcast_in_dim: (node, g, op) => {
    const [x] = node.inputs;
    const stretched = op.shape.map((n, axis) => {
      const from = op.dimensions.indexOf(axis);
      return from === -1 || x.shape[from] !== n;
    });
    const axes = range(op.shape.length).filter((axis) => stretched[axis]);
    return [(axes.length === 0 ? g : g.sum(axes)).reshape(x.shape)];
  },
  reshape: (node, g) => [g.reshape(node.inputs[0].shape)],
  transpose: (_, g, op) => [g.transpose(range(op.permutation.length).map((axis) => op.permutation.indexOf(axis)))],
  slice: (node, g, op) => {
    const [x] = node.inputs;
    const spread = (i: number): number => (g.shape[i] === 0 ? 0 : (g.shape[i] - 1) * op.strides[i] + 1);
    const high = x.shape.map((n, i) => n - op.start[i] - spread(i));
    return [new Tensor({ kind: "pad", low: op.start, high, interior: op.strides.map((n) => n - 1), value: 0 }, [g])];
  },
  pad: (node, g, op) => {
    const [x] = node.inputs;
    // Undo negative amounts (crops) by padding the cotangent back, then pick the elements of x.
    const grown = g.pad(op.low.map((low, i) => [Math.max(0, -low), Math.max(0, -op.high[i])] as const));
    const start = op.low.map((low) => Math.max(0, low));
    const strides = op.interior.map((n) => n + 1);
    const limit = x.shape.map((n, i) => (n === 0 ? start[i] : start[i] + (n - 1) * strides[i] + 1));
    return [new Tensor({ kind: "slice", start, limit, strides }, [grown])];
  },
  concatenate: (node, g, op) => {
    let start = 0;
    return node.inputs.map((x) => {
      const limit = start + x.shape[op.axis];
      const part = g.slice(op.axis, start, limit);
      start = limit;
      return part;
    });
  },
  reverse: (_, g, op) => [g.reverse(op.axes)],
  gather: (node, g) => {
    const [tableInput, indices] = node.inputs;
    const rows = tableInput.shape[0];
    const clamped = indices.dtype === "i32" ? indices.clamp(0, rows - 1) : indices.minimum(rows - 1);
    return [scatterAdd(clamped, g, rows), undefined];
  },
  scatter_add: (node, g) => {
    const [indices, updates] = node.inputs;
    const inside = indices.compare("ge", 0).and(indices.compare("lt", node.shape[0]));
    const picked = g.gather(indices);
    const mask = inside.reshape([...indices.shape, ...updates.shape.slice(indices.rank).map(() => 1)]);
    return [undefined, mask.broadcastTo(picked.shape).select(picked, 0)];
  },
  reduce: (y, g, op) => {
    const [x] = y.inputs;
    const kept = x.shape.map((n, axis) => (op.axes.includes(axis) ? 1 : n));
    const spread = (t: Tensor): Tensor => t.reshape(kept).broadcastTo(x.shape);
    if (op.reduction === "sum") return [spread(g)];
    // Ties share the cotangent equally.
    const wins = x.compare("eq", spread(y)).convert("f32");
    return [wins.multiply(spread(g.divide(wins.sum(op.axes))))];
  },
  dot_general: (node, g, op) => {
    const [a, b] = node.inputs;
    const lhs = { tensor: a, batch: op.lhsBatch, contract: op.lhsContract };
    const rhs = { tensor: b, batch: op.rhsBatch, contract: op.rhsContract };
    const lhsStart = op.lhsBatch.length;
    const rhsStart = lhsStart + freeAxes(lhs).length;
    return [operandCotangent(lhs, rhs, g, rhsStart), operandCotangent(rhs, lhs, g, lhsStart)];
  },
  convolution: (node, g, op) => {
    const [x, w] = node.inputs;
    const kernel = [w.shape[0], w.shape[1]] as const;
    const byFilter = new Tensor({ ...windowOf(op), kind: "convolution_filter_gradient", kernel }, [x, g]);
    return [inputGradient(x.shape, w, g, op), byFilter];
  },
  convolution_filter_gradient: (node, g, op) => {
    const [x, dy] = node.inputs;
    if (op.parts !== undefined)
      throw new Error("internal: a filter gradient is split into parts after differentiation");
    return [inputGradient(x.shape, g, dy, op), new Tensor({ ...windowOf(op), kind: "convolution" }, [x, g])];
  },
  softmax: (y, g, op) => [softmaxGradient(y, g, op.axis)],
  variance: (y, g, op) => [varianceGradient(y.inputs[0], g, op.axes)],
  attention: (y, g, op) => attentionGradients(y, g, op.scale),
  attention_logsumexp: (y, g, op) => logsumexpGradients(y, g, op.scale),
  attention_gradient: ({ inputs }, g, op) => {
    const cotangents = pullBack(composeAttention(op, inputs), g, inputs, vectorJacobianProduct, inputs);
    // An operand in two places has one, that of both together.
    return cotangents.map((cotangent, i) => (inputs.indexOf(inputs[i]) === i ? cotangent : undefined));
  },
};

function windowOf({ strides, padding, lhsDilation, rhsDilation }: ConvolutionWindow): ConvolutionWindow {
  return { strides, padding, lhsDilation, rhsDilation };
}

function dilatedSize(size: number, dilation: number): number {
  return size === 0 ? 0 : (size - 1) * dilation + 1;
}

/** The convolution of the cotangent with the turned filter, strides and input dilation changing places. */
function inputGradient(inputShape: Shape, w: Tensor, g: Tensor, op: ConvolutionWindow): Tensor {
  const padding = ([0, 1] as const).map((axis) => {
    const kernel = (w.shape[axis] - 1) * op.rhsDilation[axis] + 1;
    const low = kernel - 1 - op.padding[axis][0];
    const dilatedInput = dilatedSize(inputShape[axis + 1], op.lhsDilation[axis]);
    const dilatedOutput = dilatedSize(g.shape[axis + 1], op.strides[axis]);
    return [low, dilatedInput + kernel - 1 - dilatedOutput - low] as const;
  });
  const turned = w.reverse([0, 1]).transpose([0, 1, 3, 2]);
  return new Tensor(
    {
      kind: "convolution",
      strides: op.lhsDilation,
      padding: padding as unknown as SpatialPadding,
      lhsDilation: op.strides,
      rhsDilation: op.rhsDilation,
    },
    [g, turned],
  );
}

interface Operand {
  readonly tensor: Tensor;
  readonly batch: readonly number[];
  readonly contract: readonly number[];
}

function freeAxes({ tensor, batch, contract }: Operand): number[] {
  return range(tensor.rank).filter((axis) => !batch.includes(axis) && !contract.includes(axis));
}

/**
 * Contracts the cotangent with the other operand's free axes and puts the axes back in `self`'s order. Of the
 * two products that do, it takes the one whose last axes are those of `self`, so that the result lies as it does.
 *
 * @param otherStart the cotangent's first axis that is free in `other`
 */
function operandCotangent(self: Operand, other: Operand, g: Tensor, otherStart: number): Tensor {
  const selfFree = freeAxes(self);
  const otherFree = freeAxes(other);
  const batch = range(self.batch.length);
  const inCotangent = { batch, contract: otherFree.map((_, i) => otherStart + i), tensor: g };
  const inOther = { batch: other.batch, contract: otherFree, tensor: other.tensor };
  // Axes of the product: batch, and in one order or the other what is free in self and what self contracted.
  const contracted = range(other.contract.length)
    .toSorted((i, j) => other.contract[i] - other.contract[j])
    .map((i) => self.contract[i]);
  const endsFree = selfFree.includes(self.tensor.rank - 1);
  const [lhs, rhs] = endsFree ? [inOther, inCotangent] : [inCotangent, inOther];
  const product = dotGeneral(lhs.tensor, rhs.tensor, {
    lhsBatch: lhs.batch,
    rhsBatch: rhs.batch,
    lhsContract: lhs.contract,
    rhsContract: rhs.contract,
  });
  const axesOfSelf = [...self.batch, ...(endsFree ? [...contracted, ...selfFree] : [...selfFree, ...contracted])];
  return product.transpose(range(self.tensor.rank).map((axis) => axesOfSelf.indexOf(axis)));
}

/** Cotangents of a node's operands, given its own. */
export function vectorJacobianProduct(node: Tensor, cotangent: Tensor): (Tensor | undefined)[] {
  const vjp = table[node.op.kind] as (node: Tensor, cotangent: Tensor, op: Tensor["op"]) => (Tensor | undefined)[];
  return vjp(node, cotangent, node.op);
}
