import type { DType, TypedArray } from "./dtype.ts";
import type { Shape } from "./shape.ts";
import type { Variable } from "./variable.ts";

/** Elementwise, one operand. */
export type UnaryKind =
  | "negate"
  | "exponential"
  | "log"
  | "sqrt"
  | "rsqrt"
  | "tanh"
  | "logistic"
  | "erf" // the Gauss error function
  | "sine"
  | "cosine"
  | "abs"
  | "sign" // -1, 0 or 1; NaN of NaN
  | "floor"
  | "stop_gradient"; // the identity, without a gradient

/** Elementwise, two operands of one shape and dtype. */
export type BinaryKind =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "maximum" // NaN wins, as in IEEE 754's maximum
  | "minimum"
  | "power"
  | "and" // bitwise on integers, logical on bool
  | "or"
  | "xor"
  | "shift_left" // u32; shifts of 32 or more are undefined
  | "shift_right"; // u32, logical

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

export type Reduction = "sum" | "max" | "min";

/** One low and one high amount per spatial axis (height, width). */
export type SpatialPadding = readonly [readonly [number, number], readonly [number, number]];
export type SpatialPair = readonly [number, number];

/**
 * The language: names and meanings follow StableHLO. Operand shapes are explicit (nothing broadcasts
 * by itself); the methods of Tensor insert the broadcasts that a user expects.
 */
export type Op =
  // Leaves
  | { readonly kind: "input"; readonly index: number; readonly shape: Shape; readonly dtype: DType }
  | { readonly kind: "variable"; readonly variable: Variable }
  | { readonly kind: "constant"; readonly value: number; readonly dtype: DType } // a scalar
  | { readonly kind: "literal"; readonly data: TypedArray; readonly shape: Shape; readonly dtype: DType }
  | { readonly kind: "iota"; readonly shape: Shape; readonly axis: number; readonly dtype: DType } // counts along one axis
  // Elementwise
  | { readonly kind: UnaryKind }
  | { readonly kind: BinaryKind }
  | { readonly kind: "compare"; readonly direction: Comparison }
  | { readonly kind: "select" } // (condition, on true, on false)
  | { readonly kind: "clamp" } // (low, x, high)
  // f32 to integers truncates and saturates, NaN gives 0; integers wrap; a bool is whether the number is not 0
  | { readonly kind: "convert"; readonly dtype: DType }
  | { readonly kind: "bitcast_convert" } // the f32 of a u32's bits
  // Movement
  | { readonly kind: "broadcast_in_dim"; readonly shape: Shape; readonly dimensions: readonly number[] } // input axis i becomes output axis dimensions[i]
  | { readonly kind: "reshape"; readonly shape: Shape }
  | { readonly kind: "transpose"; readonly permutation: readonly number[] } // output axis i is input axis permutation[i]
  | {
      readonly kind: "slice";
      readonly start: readonly number[];
      readonly limit: readonly number[];
      readonly strides: readonly number[];
    }
  | {
      readonly kind: "pad";
      readonly low: readonly number[];
      readonly high: readonly number[];
      readonly interior: readonly number[]; // elements put between neighbours
      readonly value: number;
    }
  | { readonly kind: "concatenate"; readonly axis: number }
  | { readonly kind: "reverse"; readonly axes: readonly number[] }
  // Rows of a table: gather(table [R, ...], indices) and its adjoint. Indices outside [0, R) clamp in gather and are dropped in scatter_add
  | { readonly kind: "gather" }
  | { readonly kind: "scatter_add"; readonly rows: number } // (indices [...I], updates [...I, ...S]) -> [rows, ...S]
  // Contractions
  | { readonly kind: "reduce"; readonly reduction: Reduction; readonly axes: readonly number[] }
  | {
      readonly kind: "dot_general"; // -> [...batch, ...free of lhs, ...free of rhs]
      readonly lhsBatch: readonly number[];
      readonly rhsBatch: readonly number[];
      readonly lhsContract: readonly number[];
      readonly rhsContract: readonly number[];
    }
  | {
      readonly kind: "convolution"; // (NHWC, HWIO) -> NHWC, cross-correlation as in every framework
      readonly strides: SpatialPair;
      readonly padding: SpatialPadding;
      readonly lhsDilation: SpatialPair;
      readonly rhsDilation: SpatialPair;
    }
  | {
      readonly kind: "convolution_filter_gradient"; // (input NHWC, cotangent NHWC) -> HWIO of the given kernel size
      readonly kernel: SpatialPair;
      /** Where given, the batch is summed in so many equal runs of images: the result is [parts, ...HWIO]. */
      readonly parts?: number;
      readonly strides: SpatialPair;
      readonly padding: SpatialPadding;
      readonly lhsDilation: SpatialPair;
      readonly rhsDilation: SpatialPair;
    }
  // Composites, as StableHLO calls ops that are defined by a composition of others, which composites.ts and attention.ts give
  | { readonly kind: "softmax"; readonly axis: number }
  | { readonly kind: "variance"; readonly axes: readonly number[] } // over axes, which become 1
  | { readonly kind: "attention"; readonly scale: number } // (q, k, v) -> softmax(scale q k^T) v
  | { readonly kind: "attention_logsumexp"; readonly scale: number } // (q, k) -> log of the sum of exp(scale q k^T)
  | {
      readonly kind: "attention_gradient"; // (q, k, v, cotangent, logsumexp, sum of cotangent * result) -> that of one operand
      readonly of: "query" | "key" | "value";
      readonly scale: number;
    };

export type OpKind = Op["kind"];
/** The op of one kind; of a union of kinds, the union of their ops. */
export type OpOf<K extends OpKind> = K extends UnaryKind | BinaryKind
  ? { readonly kind: K }
  : Extract<Op, { readonly kind: K }>;

/** Convolutions share these fields whatever they differentiate. */
export interface ConvolutionWindow {
  readonly strides: SpatialPair;
  readonly padding: SpatialPadding;
  readonly lhsDilation: SpatialPair;
  readonly rhsDilation: SpatialPair;
}

const UNARY_KINDS: ReadonlySet<string> = new Set<UnaryKind>([
  "negate",
  "exponential",
  "log",
  "sqrt",
  "rsqrt",
  "tanh",
  "logistic",
  "erf",
  "sine",
  "cosine",
  "abs",
  "sign",
  "floor",
  "stop_gradient",
]);
const BINARY_KINDS: ReadonlySet<string> = new Set<BinaryKind>([
  "add",
  "subtract",
  "multiply",
  "divide",
  "maximum",
  "minimum",
  "power",
  "and",
  "or",
  "xor",
  "shift_left",
  "shift_right",
]);
const OTHER_ELEMENTWISE: ReadonlySet<string> = new Set<OpKind>([
  "compare",
  "select",
  "clamp",
  "convert",
  "bitcast_convert",
]);
const MOVEMENT: ReadonlySet<string> = new Set<OpKind>([
  "broadcast_in_dim",
  "reshape",
  "transpose",
  "slice",
  "pad",
  "concatenate",
  "reverse",
]);

export function isElementwise(op: Op): boolean {
  return UNARY_KINDS.has(op.kind) || BINARY_KINDS.has(op.kind) || OTHER_ELEMENTWISE.has(op.kind);
}

/** True for ops that only say where an element comes from. */
export function isMovement(op: Op): boolean {
  return MOVEMENT.has(op.kind);
}
