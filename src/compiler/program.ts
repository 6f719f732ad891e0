import type { Affine } from "./affine.ts";
import type { BinaryKind, Comparison, Reduction, SpatialPadding, SpatialPair, UnaryKind } from "../tensor/op.ts";
import type { DType, TypedArray } from "../tensor/dtype.ts";
import type { Variable } from "../tensor/variable.ts";

/** Memory that kernels read and write; elements are 4 bytes. */
export interface Buffer {
  readonly id: number;
  readonly dtype: DType;
  readonly length: number;
  readonly source: BufferSource;
}

export type BufferSource =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "variable"; readonly variable: Variable }
  | { readonly kind: "literal"; readonly data: TypedArray }
  | { readonly kind: "temporary" }
  /** Buffers that lie one after another and that a kernel works on as one: a stretch of one of the program's arenas. */
  | { readonly kind: "stretch"; readonly parts: readonly Buffer[] };

export type ScalarOp =
  | { readonly kind: UnaryKind }
  | { readonly kind: BinaryKind }
  | { readonly kind: "compare"; readonly direction: Comparison }
  | { readonly kind: "select" }
  | { readonly kind: "clamp" }
  | { readonly kind: "convert" }
  | { readonly kind: "bitcast_convert" };

/** What a kernel computes at one point of its index space: a DAG, shared by reference. */
export type Expression =
  | { readonly kind: "constant"; readonly dtype: DType; readonly value: number }
  | { readonly kind: "index"; readonly dtype: DType; readonly index: Affine } // the affine value itself
  | {
      readonly kind: "load";
      readonly dtype: DType;
      readonly buffer: Buffer;
      readonly index: Affine;
      readonly row?: DynamicRow;
    }
  | { readonly kind: "apply"; readonly dtype: DType; readonly op: ScalarOp; readonly args: readonly Expression[] }
  // inside where low <= index < high, else outside; only the chosen side may be evaluated
  | {
      readonly kind: "within";
      readonly dtype: DType;
      readonly index: Affine;
      readonly low: number;
      readonly high: number;
      readonly inside: Expression;
      readonly outside: Expression;
    }
  // the result of the kernel's reduction or contraction
  | { readonly kind: "result"; readonly dtype: DType; readonly slot: number };

/** A row number that is computed: it is clamped to [0, rows) and adds row * stride to the load's index. */
export interface DynamicRow {
  readonly row: Expression;
  readonly stride: number;
  readonly rows: number;
}

export interface Store {
  readonly buffer: Buffer;
  readonly index: Affine;
  readonly value: Expression;
}

/** Elementwise work over an index space. */
export interface MapKernel {
  readonly kind: "map";
  readonly axes: readonly number[];
  readonly stores: readonly Store[];
}

export interface Accumulator {
  readonly slot: number;
  readonly reduction: Reduction;
  readonly dtype: DType;
  readonly value: Expression;
}

/** One pass over the terms; it may use the results of the passes before. */
export interface Stage {
  readonly accumulators: readonly Accumulator[];
  /** Over all axes. */
  readonly stores: readonly Store[];
}

/**
 * The first `kept` axes index the results; the others are reduced. With several stages a row of terms is read
 * again while it is in the cache: softmax is a maximum, a sum and a store.
 */
export interface ReduceKernel {
  readonly kind: "reduce";
  readonly axes: readonly number[];
  readonly kept: number;
  readonly stages: readonly Stage[];
  /** Over the kept axes. */
  readonly stores: readonly Store[];
}

/** A matrix operand: a view of a buffer over all of the kernel's axes. */
export interface View {
  readonly buffer: Buffer;
  readonly index: Affine;
}

/** Batches of matrix products. The axes are [...batch, ...rows, column, inner]. */
export interface DotKernel {
  readonly kind: "dot";
  readonly axes: readonly number[];
  /** How many axes are batch axes; the rest but the last two index the rows. */
  readonly batch: number;
  readonly lhs: View;
  /** Its columns are adjacent in memory, or there is one. */
  readonly rhs: View;
  /** Over all axes but the inner; slot 0 is the product. */
  readonly stores: readonly Store[];
}

export interface ConvolutionShape {
  readonly batch: number;
  /** Height and width. */
  readonly input: SpatialPair;
  readonly output: SpatialPair;
  readonly kernel: SpatialPair;
  readonly strides: SpatialPair;
  /** Never negative. */
  readonly padding: SpatialPadding;
  readonly inChannels: number;
  readonly outChannels: number;
}

/** Cross-correlation, NHWC. Inside the image the input is an expression over axes [batch, row, column, channel]. */
export interface ConvolutionKernel {
  readonly kind: "convolution";
  readonly shape: ConvolutionShape;
  readonly input: Expression;
  /** HWIO, contiguous, unless filters are transformed ahead. */
  readonly weight: Buffer;
  /** Set by a device that goes by Winograd's algorithm: results along a side of a tile. */
  readonly tile?: 2 | 4;
  /** What is transformed before: the filters, which `weight` then holds, or the images, which `input` then loads. */
  readonly ahead?: "filters" | "images";
  /** Set by a device that takes the sum over window and channels in so many equal runs: the first of the axes. */
  readonly parts?: number;
  readonly axes: readonly number[];
  /** Over axes [batch, row, column, out channel]; slot 0 is the convolution. */
  readonly stores: readonly Store[];
}

/** The filter's gradient, the batch in `parts` runs: writes [parts, kernel height, kernel width, in, out]. */
export interface FilterGradientKernel {
  readonly kind: "filterGradient";
  readonly shape: ConvolutionShape;
  readonly parts: number;
  readonly input: Expression;
  /** NHWC, contiguous. */
  readonly cotangent: Buffer;
  readonly result: Buffer;
  /** Set by a device that goes by Winograd's algorithm: results along a side of a tile. */
  readonly tile?: 2 | 4;
  /** Whether input and cotangent hold what is transformed before. */
  readonly isAhead?: boolean;
}

/**
 * Images or filters in the form in which products by Winograd's algorithm take them. Only devices that compute so make such
 * kernels, ahead of convolutions that would do it many times over.
 */
export interface TransformKernel {
  readonly kind: "transform";
  /** Of the convolution. */
  readonly shape: ConvolutionShape;
  readonly tile: 2 | 4;
  readonly of: "windows" | "cotangents" | "filters";
  /** Over the axes of the convolution's input, of its results or of its filters. */
  readonly input: Expression;
  readonly result: Buffer;
}

export interface AttentionShape {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Of a head: queries, keys and values have as many. */
  readonly channels: number;
}

/** Queries, keys and values as views over axes [batch, token, head, channel], whose channels are adjacent in memory. */
export interface AttentionOperands {
  readonly shape: AttentionShape;
  /** What similarities are multiplied by. */
  readonly scale: number;
  readonly query: View;
  readonly key: View;
  readonly value: View;
}

/** softmax(scale q k^T) v; no similarity goes to memory. */
export interface AttentionKernel extends AttentionOperands {
  readonly kind: "attention";
  /** [batch, query, head, channel], contiguous. */
  readonly result: Buffer;
  /** Of each query's exponentials, [batch, query, head], where gradients want it. */
  readonly logsumexp?: Buffer | undefined;
}

/** Gradients of attention, those that are wanted; similarities are computed again. */
export interface AttentionGradientKernel extends AttentionOperands {
  readonly kind: "attentionGradient";
  /** Of the result. */
  readonly cotangent: View;
  /** [batch, query, head], contiguous. */
  readonly logsumexp: Buffer;
  /** The sum of the cotangent with the result, as contiguous. */
  readonly delta: Buffer;
  /** Contiguous [batch, token, head, channel]. */
  readonly byQuery?: Buffer | undefined;
  readonly byKey?: Buffer | undefined;
  readonly byValue?: Buffer | undefined;
}

export type Kernel =
  | MapKernel
  | ReduceKernel
  | DotKernel
  | ConvolutionKernel
  | FilterGradientKernel
  | TransformKernel
  | AttentionKernel
  | AttentionGradientKernel;

/** A compiled graph: kernels to run one after another. */
export interface Program {
  readonly buffers: readonly Buffer[];
  readonly kernels: readonly Kernel[];
  readonly outputs: readonly Buffer[];
  /** Temporaries, or variables, that lie one after another in memory; see {@link placesIn}. */
  readonly arenas: readonly (readonly Buffer[])[];
  /** Each part of an arena starts at a multiple of so many elements. */
  readonly alignment: number;
}

/** Where the parts of an arena start in it, and its length, in elements. */
export function placesIn(parts: readonly Buffer[], alignment: number): { starts: number[]; length: number } {
  let length = 0;
  const starts = parts.map((part) => {
    const start = Math.ceil(length / alignment) * alignment;
    length = start + part.length;
    return start;
  });
  return { starts, length };
}

/** The buffers that a kernel's operand stands for. */
export function partsOf(operand: Buffer): readonly Buffer[] {
  return operand.source.kind === "stretch" ? operand.source.parts : [operand];
}

/** Calls `visit` once for every distinct node of an expression. */
export function visitExpression(
  root: Expression,
  visit: (node: Expression) => void,
  seen = new Set<Expression>(),
): void {
  if (seen.has(root)) return;
  seen.add(root);
  visit(root);
  for (const child of childrenOf(root)) visitExpression(child, visit, seen);
}

export function childrenOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case "apply":
      return node.args;
    case "within":
      return [node.inside, node.outside];
    case "load":
      return node.row ? [node.row.row] : [];
    default:
      return [];
  }
}

/**
 * Rewrites an expression from the leaves up. `replace` sees every node as it was and gives another in its place, or
 * nothing: then the node stays, with its children rewritten.
 */
export function mapExpression(
  root: Expression,
  replace: (node: Expression) => Expression | undefined,
  memo = new Map<Expression, Expression>(),
): Expression {
  const known = memo.get(root);
  if (known) return known;
  const mapped = replace(root) ?? withChildren(root, (child) => mapExpression(child, replace, memo));
  memo.set(root, mapped);
  return mapped;
}

function withChildren(node: Expression, map: (child: Expression) => Expression): Expression {
  switch (node.kind) {
    case "constant":
    case "index":
    case "result":
      return node;
    case "load":
      return node.row ? { ...node, row: { ...node.row, row: map(node.row.row) } } : node;
    case "apply":
      return { ...node, args: node.args.map(map) };
    case "within":
      return { ...node, inside: map(node.inside), outside: map(node.outside) };
  }
}

/** Rewrites every affine index of an expression. */
export function mapIndices(
  root: Expression,
  map: (index: Affine) => Affine,
  memo = new Map<Expression, Expression>(),
): Expression {
  const known = memo.get(root);
  if (known) return known;
  const inner = withChildren(root, (child) => mapIndices(child, map, memo));
  const mapped = "index" in inner ? { ...inner, index: map(inner.index) } : inner;
  memo.set(root, mapped);
  return mapped;
}
