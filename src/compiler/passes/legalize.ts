import type { Graph } from "../../tensor/graph.ts";
import type { ConvolutionWindow, Op, OpKind, OpOf, SpatialPadding } from "../../tensor/op.ts";
import { identityOf } from "../../tensor/reduction.ts";
import { range, sizeOf } from "../../tensor/shape.ts";
import { Tensor, concatenate, dotGeneral, full, iota } from "../../tensor/tensor.ts";
import { convolutionShape } from "../convolution-shape.ts";
import type { Splitting } from "../target.ts";
import { HashConsing, rebuild } from "./simplify.ts";

type Rewrite<K extends OpKind> = (op: OpOf<K>, inputs: readonly Tensor[], splitting: Splitting) => Tensor | undefined;

/**
 * Brings the language down to what kernels exist for:
 * - dot_general becomes batches of [rows, inner] x [inner, columns];
 * - a 1x1 convolution is such a product, one of patches too, and others have no dilation and no negative padding;
 * - scatter_add becomes a reduction; interior padding becomes movement; empty contractions become constants;
 * - long sums with few results are taken in parts that run in parallel, as the target says.
 */
export function legalize(graph: Graph, splitting: Splitting): Graph {
  const nodes = new HashConsing();
  // Rewrites build with the language itself; what they built is legalized in turn.
  const legal = new Map<Tensor, Tensor>();
  const settle = (node: Tensor): Tensor => {
    const known = legal.get(node);
    if (known) return known;
    const inputs = node.inputs.map(settle);
    const settled = build(node.op, inputs);
    legal.set(node, settled);
    legal.set(settled, settled);
    return settled;
  };
  const build = (op: Op, inputs: readonly Tensor[]): Tensor => {
    const rewrite = rewrites[op.kind] as Rewrite<OpKind> | undefined;
    const replacement = rewrite?.(op, inputs, splitting);
    const made = replacement ? settle(replacement) : nodes.make(op, inputs);
    legal.set(made, made);
    return made;
  };
  return rebuild(graph, build);
}

const rewrites: { readonly [K in OpKind]?: Rewrite<K> } = {
  pad: (op, [x]) => {
    const axis = op.interior.findIndex((n) => n > 0);
    if (axis === -1) return undefined;
    // [n] -> [n, 1] -> zeros behind -> [n * (interior + 1)] -> drop the last zeros
    const n = x.shape[axis];
    const step = op.interior[axis] + 1;
    const split = x.reshape([...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
    const spread = split
      .pad(
        split.shape.map((_, i) => (i === axis + 1 ? [0, step - 1] : [0, 0])),
        op.value,
      )
      .reshape(x.shape.with(axis, n * step));
    const cut = spread.slice(axis, 0, Math.max(0, (n - 1) * step + 1));
    return new Tensor({ ...op, interior: op.interior.with(axis, 0) }, [cut]);
  },
  scatter_add: (op, [indices, updates]) => {
    const over = indices.shape;
    const rows = iota([op.rows, ...over], 0, indices.dtype);
    const hit = rows
      .compare("eq", indices)
      .reshape([op.rows, ...over, ...updates.shape.slice(over.length).map(() => 1)]);
    const shape = [op.rows, ...updates.shape];
    return hit
      .broadcastTo(shape)
      .select(updates.broadcastTo(shape), full([], 0, updates.dtype))
      .sum(range(over.length).map((axis) => axis + 1));
  },
  reduce: (op, [x], { longReduction, fewResults }) => {
    const terms = sizeOf(op.axes.map((axis) => x.shape[axis]));
    const shape = x.shape.filter((_, axis) => !op.axes.includes(axis));
    if (terms === 1) return x.reshape(shape);
    if (terms === 0) return full(shape, identityOf(op.reduction, x.dtype), x.dtype);
    if (terms < longReduction || sizeOf(shape) >= fewResults) return undefined;
    return splitReduction(op, x);
  },
  dot_general: (op, [a, b], splitting) => {
    const inner = sizeOf(op.lhsContract.map((axis) => a.shape[axis]));
    if (inner === 0) return full(new Tensor(op, [a, b]).shape, 0);
    return isCanonicalDot(op, a, b)
      ? splitDot(a, b, splitting)
      : (dotByImage(op, a, b, splitting) ?? canonicalDot(op, a, b));
  },
  convolution: (op, [x, w]) => {
    const shape = new Tensor(op, [x, w]).shape;
    if (sizeOf(w.shape) === 0 || x.size === 0 || sizeOf(shape) === 0) return full(shape, 0);
    if (isPatchwise(op, w.shape, x))
      return patchesOf(x, op.strides)
        .matmul(w.reshape([1, -1, w.shape[3]]))
        .reshape(shape);
    if (isPatchSpread(op, w.shape, shape, x)) return spreadPatches(x, w, op.lhsDilation).reshape(shape);
    const plain = withoutDilation(op, x);
    if (plain) return new Tensor({ ...op, ...plain.window }, [plain.input, dilate(w, op.rhsDilation, [0, 1])]);
    if (!isPointwise(op, w.shape)) return undefined;
    if (x.op.kind === "concatenate" && x.op.axis === 3) return sumOverParts(op, x, w);
    const [batch, height, width, channels] = x.shape;
    const product = x.reshape([1, batch * height * width, channels]).matmul(w.reshape([1, channels, w.shape[3]]));
    return product.reshape(shape);
  },
  convolution_filter_gradient: (op, [x, dy], { byImage, mostParts, takesWhole }) => {
    const shape = new Tensor(op, [x, dy]).shape;
    if (x.size === 0 || dy.size === 0) return full(shape, 0);
    const plain = withoutDilation(op, x);
    if (plain) {
      // The gradient of the dense filter that the dilated one stands for, at its places.
      const kernel = [0, 1].map((i) => (op.kernel[i] - 1) * op.rhsDilation[i] + 1) as [number, number];
      const dense = new Tensor({ ...op, ...plain.window, kernel }, [plain.input, dy]);
      const at = op.parts === undefined ? 0 : 1;
      return dense.slice(at, 0, kernel[0], op.rhsDilation[0]).slice(at + 1, 0, kernel[1], op.rhsDilation[1]);
    }
    if (op.parts !== undefined) return undefined;
    if (isPatchwise(op, op.kernel, x)) {
      const patches = patchesOf(x, op.strides);
      return patches
        .transpose([0, 2, 1])
        .matmul(dy.reshape([1, patches.shape[1], dy.shape[3]]))
        .reshape(shape);
    }
    if (isPointwise(op, op.kernel)) {
      // Of a concatenation, the gradients by the filters of each part.
      if (x.op.kind === "concatenate" && x.op.axis === 3)
        return concatenate(
          x.inputs.map((part) => new Tensor(op, [part, dy])),
          2,
        );
      const pixels = { lhsBatch: [], rhsBatch: [], lhsContract: [0, 1, 2], rhsContract: [0, 1, 2] };
      return dotGeneral(x, dy, pixels).reshape(shape);
    }
    const images = x.shape[0];
    if (takesWhole(convolutionShape(x, dy.shape, op.kernel, dy.shape[3], op)))
      return new Tensor({ ...op, parts: 1 }, [x, dy]).reshape(shape);
    const isByImage = byImage && isSmallBeside(images * sizeOf(shape), [x, dy]);
    const parts = isByImage ? images : divisorUpTo(images, mostParts);
    return new Tensor({ ...op, parts }, [x, dy]).sum(0);
  },
};

export function divisorUpTo(n: number, limit: number): number {
  for (let d = Math.min(n, limit); d > 1; d--) if (n % d === 0) return d;
  return 1;
}

function splitReduction(op: OpOf<"reduce">, x: Tensor): Tensor | undefined {
  const outer = op.axes[0];
  const inner = op.axes.slice(1).filter((axis) => x.shape[axis] > 1);
  if (inner.length > 0) {
    // First the inner axes, one result per index of the outer one. (As an explicit node: reduce() would be split again.)
    const partial = new Tensor({ ...op, axes: op.axes.slice(1) }, [x]);
    return new Tensor({ ...op, axes: [outer] }, [partial]);
  }
  const n = x.shape[outer];
  const parts = divisorUpTo(n, Math.floor(Math.sqrt(n)));
  if (parts === 1) return undefined;
  const split = x.reshape([...x.shape.slice(0, outer), parts, n / parts, ...x.shape.slice(outer + 1)]);
  const partial = new Tensor({ ...op, axes: [outer + 1, ...op.axes.slice(1).map((axis) => axis + 1)] }, [split]);
  return new Tensor({ ...op, axes: [outer] }, [partial]);
}

function isCanonicalDot(op: OpOf<"dot_general">, a: Tensor, b: Tensor): boolean {
  const is = (axes: readonly number[], only: number): boolean => axes.length === 1 && axes[0] === only;
  return (
    a.rank === 3 &&
    b.rank === 3 &&
    is(op.lhsBatch, 0) &&
    is(op.rhsBatch, 0) &&
    is(op.lhsContract, 2) &&
    is(op.rhsContract, 1)
  );
}

function matrixProduct(a: Tensor, b: Tensor): Tensor {
  return dotGeneral(a, b, { lhsBatch: [0], rhsBatch: [0], lhsContract: [2], rhsContract: [1] });
}

/** Any dot_general as [batch, rows, inner] x [batch, inner, columns]; the movement around it costs nothing. */
function canonicalDot(op: OpOf<"dot_general">, a: Tensor, b: Tensor): Tensor {
  const freeAxes = (x: Tensor, batch: readonly number[], contract: readonly number[]): number[] =>
    range(x.rank).filter((axis) => !batch.includes(axis) && !contract.includes(axis));
  const lhsFree = freeAxes(a, op.lhsBatch, op.lhsContract);
  const rhsFree = freeAxes(b, op.rhsBatch, op.rhsContract);
  const size = (x: Tensor, axes: readonly number[]): number => sizeOf(axes.map((axis) => x.shape[axis]));
  const batch = size(a, op.lhsBatch);
  const inner = size(a, op.lhsContract);
  const lhs = a.transpose([...op.lhsBatch, ...lhsFree, ...op.lhsContract]).reshape([batch, size(a, lhsFree), inner]);
  const rhs = b.transpose([...op.rhsBatch, ...op.rhsContract, ...rhsFree]).reshape([batch, inner, size(b, rhsFree)]);
  return matrixProduct(lhs, rhs).reshape(new Tensor(op, [a, b]).shape);
}

/** Whether so many partial sums cost little beside what they are taken of. */
function isSmallBeside(partialSums: number, operands: readonly Tensor[]): boolean {
  return 3 * partialSums <= operands.reduce((size, operand) => size + operand.size, 0);
}

/** A sum over images and more, as a product for each image: these can run where the image's other work does. */
function dotByImage(
  op: OpOf<"dot_general">,
  a: Tensor,
  b: Tensor,
  { byImage, mostParts }: Splitting,
): Tensor | undefined {
  const [images, ...rest] = op.lhsContract;
  const isOutermost = images === 0 && op.rhsContract[0] === 0 && op.lhsBatch.length === 0 && rest.length > 0;
  const partialSums = a.shape[0] * sizeOf(new Tensor(op, [a, b]).shape);
  if (!byImage || !isOutermost || a.shape[0] < mostParts || !isSmallBeside(partialSums, [a, b])) return undefined;
  const contract = { lhsContract: rest, rhsContract: op.rhsContract.slice(1) };
  return dotGeneral(a, b, { lhsBatch: [0], rhsBatch: [0], ...contract }).sum(0);
}

/** A long inner axis with few results is summed in parts, each part a batch of its own. */
function splitDot(a: Tensor, b: Tensor, { longContraction, fewResults, mostParts }: Splitting): Tensor | undefined {
  const [batch, rows, inner] = a.shape;
  const columns = b.shape[2];
  const parts = divisorUpTo(inner, mostParts);
  if (inner < longContraction || batch * rows * columns >= inner * fewResults || batch >= mostParts || parts === 1)
    return undefined;
  const length = inner / parts;
  const lhs = a
    .reshape([batch, rows, parts, length])
    .transpose([0, 2, 1, 3])
    .reshape([batch * parts, rows, length]);
  const rhs = b.reshape([batch * parts, length, columns]);
  return matrixProduct(lhs, rhs).reshape([batch, parts, rows, columns]).sum(1);
}

function isPointwise(op: ConvolutionWindow, kernel: readonly number[]): boolean {
  return (
    kernel[0] === 1 &&
    kernel[1] === 1 &&
    op.strides.every((n) => n === 1) &&
    op.padding.every(([low, high]) => low === 0 && high === 0)
  );
}

/** A pointwise convolution of a concatenation of channels, as a sum of those of its parts, none of which is copied. */
function sumOverParts(op: OpOf<"convolution">, x: Tensor, w: Tensor): Tensor {
  let start = 0;
  const products = x.inputs.map((part) => {
    const end = start + part.shape[3];
    const product = new Tensor(op, [part, w.slice(2, start, end)]);
    start = end;
    return product;
  });
  return products.reduce((sum, product) => sum.add(product));
}

/** Windows that neither overlap nor leave gaps: a product of patches, as in a space-to-depth downsampling. */
function isPatchwise(op: ConvolutionWindow, kernel: readonly number[], x: Tensor): boolean {
  const isTiled = op.strides.every((stride, i) => stride > 1 && stride === kernel[i] && x.shape[i + 1] % stride === 0);
  return isTiled && hasNoDilation(op) && op.padding.every(([low, high]) => low === 0 && high === 0);
}

/** [1, patches, patch height * patch width * channels] */
function patchesOf(x: Tensor, [ph, pw]: readonly [number, number]): Tensor {
  const [batch, height, width, channels] = x.shape;
  const split = x.reshape([batch, height / ph, ph, width / pw, pw, channels]);
  return split.transpose([0, 1, 3, 2, 4, 5]).reshape([1, -1, ph * pw * channels]);
}

/** The gradient of a patchwise convolution by its input: each pixel becomes a patch. */
function isPatchSpread(op: ConvolutionWindow, kernel: readonly number[], shape: readonly number[], x: Tensor): boolean {
  const plain = [...op.strides, ...op.rhsDilation].every((n) => n === 1);
  const spreads = op.lhsDilation.every(
    (n, i) => n > 1 && n === kernel[i] && shape[i + 1] === n * x.shape[i + 1] && op.padding[i][0] === n - 1,
  );
  return plain && spreads;
}

function spreadPatches(x: Tensor, w: Tensor, [ph, pw]: readonly [number, number]): Tensor {
  const [batch, height, width, inner] = x.shape;
  const channels = w.shape[3];
  const filter = w
    .reverse([0, 1])
    .transpose([2, 0, 1, 3])
    .reshape([1, inner, ph * pw * channels]);
  const patches = x.reshape([1, batch * height * width, inner]).matmul(filter);
  return patches.reshape([batch, height, width, ph, pw, channels]).transpose([0, 1, 3, 2, 4, 5]);
}

function hasNoDilation(op: ConvolutionWindow): boolean {
  return [...op.lhsDilation, ...op.rhsDilation].every((n) => n === 1);
}

function dilate(x: Tensor, dilation: readonly [number, number], axes: readonly [number, number]): Tensor {
  if (dilation[0] === 1 && dilation[1] === 1) return x;
  const zeros = x.shape.map(() => 0);
  const interior = zeros.with(axes[0], dilation[0] - 1).with(axes[1], dilation[1] - 1);
  return new Tensor({ kind: "pad", low: zeros, high: zeros, interior, value: 0 }, [x]);
}

/** The input and window of an equal convolution without dilation and with padding of zero or more. */
function withoutDilation(op: ConvolutionWindow, x: Tensor): { input: Tensor; window: ConvolutionWindow } | undefined {
  const cropped = op.padding.some(([low, high]) => low < 0 || high < 0);
  if (hasNoDilation(op) && !cropped) return undefined;
  const crop = op.padding.map(([low, high]) => [Math.min(0, low), Math.min(0, high)] as const);
  const padding = op.padding.map(([low, high]) => [Math.max(0, low), Math.max(0, high)]);
  const input = dilate(x, op.lhsDilation, [1, 2]).pad([[0, 0], ...crop, [0, 0]]);
  return {
    input,
    window: {
      strides: op.strides,
      padding: padding as unknown as SpatialPadding,
      lhsDilation: [1, 1],
      rhsDilation: [1, 1],
    },
  };
}
