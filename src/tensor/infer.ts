import type { DType } from "./dtype.ts";
import { isInteger } from "./dtype.ts";
import type { BinaryKind, ConvolutionWindow, Op, OpKind, OpOf, UnaryKind } from "./op.ts";
import { formatShape, range, sameShape, sizeOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** What an op needs to know of an operand. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

type Rule<K extends OpKind> = (op: OpOf<K>, inputs: readonly TensorType[]) => TensorType;

const floatOnly: ReadonlySet<string> = new Set<UnaryKind>([
  "exponential",
  "log",
  "sqrt",
  "rsqrt",
  "tanh",
  "logistic",
  "erf",
  "sine",
  "cosine",
  "floor",
]);
const bitwise: ReadonlySet<string> = new Set<BinaryKind>(["and", "or", "xor"]);

function requireThat(condition: boolean, message: () => string): void {
  if (!condition) throw new Error(message());
}

function describe(inputs: readonly TensorType[]): string {
  return inputs.map((x) => `${x.dtype}${formatShape(x.shape)}`).join(", ");
}

function unary(op: Op, [x]: readonly TensorType[]): TensorType {
  requireThat(
    !floatOnly.has(op.kind) || x.dtype === "f32",
    () => `${op.kind}: operand must be f32, got ${describe([x])}`,
  );
  requireThat(x.dtype !== "bool", () => `${op.kind}: operand must be a number, got bool`);
  return x;
}

function binary(op: Op, inputs: readonly TensorType[]): TensorType {
  const [a, b] = inputs;
  const matches = sameShape(a.shape, b.shape) && a.dtype === b.dtype;
  requireThat(matches, () => `${op.kind}: operands must have one shape and dtype, got ${describe(inputs)}`);
  if (bitwise.has(op.kind))
    requireThat(a.dtype !== "f32", () => `${op.kind}: operands must be integers or bool, got f32`);
  else if (op.kind === "shift_left" || op.kind === "shift_right") {
    requireThat(a.dtype === "u32", () => `${op.kind}: operands must be u32, got ${a.dtype}`);
  } else {
    requireThat(a.dtype !== "bool", () => `${op.kind}: operands must be numbers, got bool`);
    const floats = a.dtype === "f32" || (op.kind !== "divide" && op.kind !== "power");
    requireThat(floats, () => `${op.kind}: operands must be f32, got ${a.dtype}`);
  }
  return a;
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0;
const isPositive = (n: number): boolean => Number.isInteger(n) && n >= 1;

function areAxes(axes: readonly number[], rank: number): boolean {
  return axes.every((axis) => isCount(axis) && axis < rank) && new Set(axes).size === axes.length;
}

function requireWindow(op: ConvolutionWindow & { readonly kind: string }, kernel: readonly number[]): void {
  const { strides, lhsDilation, rhsDilation } = op;
  for (const [name, values] of Object.entries({ kernel, strides, lhsDilation, rhsDilation })) {
    requireThat(
      values.length === 2 && values.every(isPositive),
      () => `${op.kind}: ${name} must be two whole numbers of at least 1, got [${values.join(",")}]`,
    );
  }
  requireThat(
    op.padding.flat().every(Number.isInteger),
    () => `${op.kind}: padding must be whole numbers, got [${op.padding.join("; ")}]`,
  );
}

/** Size of one spatial axis after a convolution. */
export function convolvedSize(input: number, kernel: number, window: ConvolutionWindow, axis: 0 | 1): number {
  const dilatedInput = input === 0 ? 0 : (input - 1) * window.lhsDilation[axis] + 1;
  const dilatedKernel = (kernel - 1) * window.rhsDilation[axis] + 1;
  const padded = dilatedInput + window.padding[axis][0] + window.padding[axis][1];
  return Math.max(0, Math.floor((padded - dilatedKernel) / window.strides[axis]) + 1);
}

function requireImage(op: string, name: string, x: TensorType): void {
  requireThat(
    x.shape.length === 4 && x.dtype === "f32",
    () => `${op}: ${name} must be f32 of rank 4, got ${describe([x])}`,
  );
}

const literal = (op: TensorType): TensorType => ({ shape: op.shape, dtype: op.dtype });

const rules: { readonly [K in OpKind]: Rule<K> } = {
  input: literal,
  literal: (op) => {
    const size = sizeOf(op.shape);
    requireThat(
      op.data.length === size,
      () => `${op.kind}: ${formatShape(op.shape)} has ${size} elements, got ${op.data.length}`,
    );
    return literal(op);
  },
  iota: (op) => {
    requireThat(op.dtype !== "bool", () => `${op.kind}: must count in numbers, got bool`);
    requireThat(
      areAxes([op.axis], op.shape.length),
      () => `${op.kind}: ${formatShape(op.shape)} has no axis ${op.axis}`,
    );
    return literal(op);
  },
  variable: (op) => ({ shape: op.variable.shape, dtype: op.variable.dtype }),
  constant: (op) => ({ shape: [], dtype: op.dtype }),
  negate: unary,
  exponential: unary,
  log: unary,
  sqrt: unary,
  rsqrt: unary,
  tanh: unary,
  logistic: unary,
  erf: unary,
  sine: unary,
  cosine: unary,
  abs: unary,
  sign: unary,
  floor: unary,
  stop_gradient: (_, [x]) => x,
  add: binary,
  subtract: binary,
  multiply: binary,
  divide: binary,
  maximum: binary,
  minimum: binary,
  power: binary,
  and: binary,
  or: binary,
  xor: binary,
  shift_left: binary,
  shift_right: binary,
  compare: (op, inputs) => {
    const [a, b] = inputs;
    const matches = sameShape(a.shape, b.shape) && a.dtype === b.dtype && a.dtype !== "bool";
    requireThat(matches, () => `${op.kind}: operands must be numbers of one shape and dtype, got ${describe(inputs)}`);
    return { shape: a.shape, dtype: "bool" };
  },
  select: (op, inputs) => {
    const [condition, a, b] = inputs;
    const matches = condition.dtype === "bool" && sameShape(condition.shape, a.shape) && sameShape(a.shape, b.shape);
    requireThat(
      matches && a.dtype === b.dtype,
      () => `${op.kind}: needs a bool and two operands alike, got ${describe(inputs)}`,
    );
    return a;
  },
  clamp: (op, inputs) => {
    const [low, x, high] = inputs;
    const matches = inputs.every((y) => sameShape(x.shape, y.shape) && x.dtype === y.dtype) && x.dtype !== "bool";
    requireThat(matches, () => `${op.kind}: operands must have one shape and dtype, got ${describe([low, x, high])}`);
    return x;
  },
  convert: (op, [x]) => ({ shape: x.shape, dtype: op.dtype }),
  bitcast_convert: (op, [x]) => {
    requireThat(x.dtype === "u32", () => `${op.kind}: operand must be u32, got ${describe([x])}`);
    return { shape: x.shape, dtype: "f32" };
  },
  broadcast_in_dim: (op, [x]) => {
    const fits =
      op.dimensions.length === x.shape.length &&
      areAxes(op.dimensions, op.shape.length) &&
      op.dimensions.every(
        (to, i) => (i === 0 || to > op.dimensions[i - 1]) && (x.shape[i] === 1 || x.shape[i] === op.shape[to]),
      );
    requireThat(
      fits,
      () =>
        `${op.kind}: cannot place ${describe([x])} on axes [${op.dimensions.join(",")}] of ${formatShape(op.shape)}`,
    );
    return { shape: op.shape, dtype: x.dtype };
  },
  reshape: (op, [x]) => {
    const fits = sizeOf(op.shape) === sizeOf(x.shape);
    requireThat(
      fits,
      () =>
        `${op.kind}: ${formatShape(x.shape)} has ${sizeOf(x.shape)} elements, ${formatShape(op.shape)} has ${sizeOf(op.shape)}`,
    );
    return { shape: op.shape, dtype: x.dtype };
  },
  transpose: (op, [x]) => {
    const isPermutation = sameShape(
      op.permutation.toSorted((a, b) => a - b),
      range(x.shape.length),
    );
    requireThat(
      isPermutation,
      () => `${op.kind}: [${op.permutation.join(",")}] is no permutation of the axes of ${formatShape(x.shape)}`,
    );
    return { shape: op.permutation.map((axis) => x.shape[axis]), dtype: x.dtype };
  },
  slice: (op, [x]) => {
    const rank = x.shape.length;
    const fits =
      op.start.length === rank &&
      op.limit.length === rank &&
      op.strides.length === rank &&
      [...op.start, ...op.limit].every(isCount) &&
      op.strides.every(isPositive) &&
      x.shape.every((n, i) => op.start[i] <= op.limit[i] && op.limit[i] <= n);
    requireThat(
      fits,
      () =>
        `${op.kind}: [${op.start.join(",")}] to [${op.limit.join(",")}] by [${op.strides.join(",")}] is outside ${formatShape(x.shape)}`,
    );
    return { shape: op.start.map((start, i) => Math.ceil((op.limit[i] - start) / op.strides[i])), dtype: x.dtype };
  },
  pad: (op, [x]) => {
    const rank = x.shape.length;
    const fits =
      op.low.length === rank &&
      op.high.length === rank &&
      op.interior.length === rank &&
      [...op.low, ...op.high].every(Number.isInteger) &&
      op.interior.every(isCount);
    const shape = x.shape.map((n, i) => op.low[i] + op.high[i] + n + Math.max(0, n - 1) * op.interior[i]);
    requireThat(
      fits && shape.every(isCount),
      () => `${op.kind}: low [${op.low.join(",")}], high [${op.high.join(",")}] do not fit ${formatShape(x.shape)}`,
    );
    return { shape, dtype: x.dtype };
  },
  concatenate: (op, inputs) => {
    const [first] = inputs;
    const fits =
      areAxes([op.axis], first.shape.length) &&
      inputs.every(
        (x) =>
          x.dtype === first.dtype &&
          x.shape.length === first.shape.length &&
          x.shape.every((n, i) => i === op.axis || n === first.shape[i]),
      );
    requireThat(fits, () => `${op.kind}: operands must agree but on axis ${op.axis}, got ${describe(inputs)}`);
    const total = inputs.reduce((sum, x) => sum + x.shape[op.axis], 0);
    return { shape: first.shape.with(op.axis, total), dtype: first.dtype };
  },
  reverse: (op, [x]) => {
    requireThat(
      areAxes(op.axes, x.shape.length),
      () => `${op.kind}: axes [${op.axes.join(",")}] are not those of ${formatShape(x.shape)}`,
    );
    return x;
  },
  gather: (op, inputs) => {
    const [table, indices] = inputs;
    const fits = table.shape.length > 0 && table.shape[0] > 0 && isInteger(indices.dtype);
    requireThat(fits, () => `${op.kind}: needs a table with rows and integer indices, got ${describe(inputs)}`);
    return { shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype };
  },
  scatter_add: (op, inputs) => {
    const [indices, updates] = inputs;
    const fits = isInteger(indices.dtype) && sameShape(indices.shape, updates.shape.slice(0, indices.shape.length));
    requireThat(updates.dtype !== "bool", () => `${op.kind}: updates must be numbers, got bool`);
    requireThat(isPositive(op.rows), () => `${op.kind}: needs a whole number of rows of at least 1, got ${op.rows}`);
    requireThat(
      fits,
      () => `${op.kind}: updates must start with the shape of the integer indices, got ${describe(inputs)}`,
    );
    return { shape: [op.rows, ...updates.shape.slice(indices.shape.length)], dtype: updates.dtype };
  },
  reduce: (op, [x]) => {
    requireThat(
      x.dtype !== "bool" && areAxes(op.axes, x.shape.length),
      () => `${op.kind}: cannot reduce axes [${op.axes.join(",")}] of ${describe([x])}`,
    );
    return { shape: x.shape.filter((_, axis) => !op.axes.includes(axis)), dtype: x.dtype };
  },
  dot_general: (op, inputs) => {
    const [a, b] = inputs;
    const agree = (lhs: readonly number[], rhs: readonly number[]): boolean =>
      lhs.length === rhs.length && lhs.every((axis, i) => a.shape[axis] === b.shape[rhs[i]]);
    const fits =
      a.dtype === "f32" &&
      b.dtype === "f32" &&
      areAxes([...op.lhsBatch, ...op.lhsContract], a.shape.length) &&
      areAxes([...op.rhsBatch, ...op.rhsContract], b.shape.length) &&
      agree(op.lhsBatch, op.rhsBatch) &&
      agree(op.lhsContract, op.rhsContract);
    requireThat(
      fits,
      () =>
        `${op.kind}: cannot contract axes [${op.lhsContract.join(",")}] and [${op.rhsContract.join(",")}] (batch [${op.lhsBatch.join(",")}] and [${op.rhsBatch.join(",")}]) of ${describe(inputs)}`,
    );
    const free = (x: TensorType, batch: readonly number[], contract: readonly number[]): number[] =>
      x.shape.filter((_, axis) => !batch.includes(axis) && !contract.includes(axis));
    const batch = op.lhsBatch.map((axis) => a.shape[axis]);
    return {
      shape: [...batch, ...free(a, op.lhsBatch, op.lhsContract), ...free(b, op.rhsBatch, op.rhsContract)],
      dtype: "f32",
    };
  },
  convolution: (op, inputs) => {
    const [x, w] = inputs;
    requireImage(op.kind, "input", x);
    requireImage(op.kind, "weight", w);
    requireWindow(op, w.shape.slice(0, 2));
    requireThat(
      x.shape[3] === w.shape[2],
      () =>
        `${op.kind}: input has ${x.shape[3]} channels, weight expects ${w.shape[2]} (input ${formatShape(x.shape)}, weight ${formatShape(w.shape)})`,
    );
    const height = convolvedSize(x.shape[1], w.shape[0], op, 0);
    const width = convolvedSize(x.shape[2], w.shape[1], op, 1);
    return { shape: [x.shape[0], height, width, w.shape[3]], dtype: "f32" };
  },
  convolution_filter_gradient: (op, inputs) => {
    const [x, dy] = inputs;
    requireImage(op.kind, "input", x);
    requireImage(op.kind, "cotangent", dy);
    requireWindow(op, op.kernel);
    const height = convolvedSize(x.shape[1], op.kernel[0], op, 0);
    const width = convolvedSize(x.shape[2], op.kernel[1], op, 1);
    const fits = dy.shape[0] === x.shape[0] && dy.shape[1] === height && dy.shape[2] === width;
    requireThat(
      fits,
      () => `${op.kind}: cotangent must be [${x.shape[0]},${height},${width},*], got ${formatShape(dy.shape)}`,
    );
    const runs = op.parts === undefined || (isPositive(op.parts) && x.shape[0] % op.parts === 0);
    requireThat(runs, () => `${op.kind}: ${x.shape[0]} images do not split into ${op.parts} parts`);
    const filter = [op.kernel[0], op.kernel[1], x.shape[3], dy.shape[3]];
    return { shape: op.parts === undefined ? filter : [op.parts, ...filter], dtype: "f32" };
  },
  softmax: (op, [x]) => {
    requireOver(op, [op.axis], x);
    return x;
  },
  variance: (op, [x]) => {
    requireOver(op, op.axes, x);
    return { shape: x.shape.map((n, axis) => (op.axes.includes(axis) ? 1 : n)), dtype: "f32" };
  },
  attention: (op, inputs) => {
    const [q, , v] = inputs;
    requireHeads(op, inputs, inputs);
    return { shape: [...q.shape.slice(0, 3), v.shape[3]], dtype: "f32" };
  },
  attention_logsumexp: (op, inputs) => {
    const [q, k] = inputs;
    requireHeads(op, [q, k, k], inputs);
    return { shape: q.shape.slice(0, 3), dtype: "f32" };
  },
  attention_gradient: (op, inputs) => {
    const [q, k, v, cotangent, ...sums] = inputs;
    requireHeads(op, [q, k, v], inputs);
    const fits =
      sameShape(cotangent.shape, [...q.shape.slice(0, 3), v.shape[3]]) &&
      sums.length === 2 &&
      sums.every((sum) => sameShape(sum.shape, q.shape.slice(0, 3))) &&
      [cotangent, ...sums].every(({ dtype }) => dtype === "f32");
    requireThat(fits, () => `${op.kind}: the cotangent and sums do not fit the operands, got ${describe(inputs)}`);
    return { query: q, key: k, value: v }[op.of];
  },
};

function requireOver({ kind }: { readonly kind: string }, axes: readonly number[], x: TensorType): void {
  const fits = x.dtype === "f32" && areAxes(axes, x.shape.length);
  requireThat(fits, () => `${kind}: operand must be f32 with axes [${axes.join(",")}], got ${describe([x])}`);
}

/** Queries, keys and values [batch, tokens, heads, channels]: keys and values have a number of tokens of their own. */
function requireHeads(
  op: { readonly kind: string; readonly scale: number },
  [q, k, v]: readonly TensorType[],
  all: readonly TensorType[],
): void {
  const fits =
    [q, k, v].every((x) => x.shape.length === 4 && x.dtype === "f32") &&
    sameShape(k.shape, [q.shape[0], k.shape[1], ...q.shape.slice(2)]) &&
    sameShape(v.shape.slice(0, 3), k.shape.slice(0, 3));
  requireThat(
    fits,
    () => `${op.kind}: needs f32 queries, keys and values [batch, tokens, heads, channels], got ${describe(all)}`,
  );
  requireThat(Number.isFinite(op.scale), () => `${op.kind}: scale must be a finite number, got ${op.scale}`);
}

/** Shape and dtype of an op's result. Throws one line that names op, requirement and value. */
export function infer(op: Op, inputs: readonly TensorType[]): TensorType {
  const rule = rules[op.kind] as (op: Op, inputs: readonly TensorType[]) => TensorType;
  const type = rule(op, inputs);
  requireThat(
    type.shape.every(isCount),
    () => `${op.kind}: dimensions must be whole numbers of at least 0, got ${formatShape(type.shape)}`,
  );
  return type;
}
