import type { Affine } from "../../../compiler/affine.ts";
import { valuesOf, writesOf } from "../../../compiler/accesses.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type {
  Buffer,
  ConvolutionKernel,
  DotKernel,
  Expression,
  Kernel,
  MapKernel,
  ReduceKernel,
  Store,
} from "../../../compiler/program.ts";

/** Whether four neighbours along an axis whose size is a multiple of four, from a multiple of four on, lie next to each other and aligned. */
export function isAligned({ offset, coefficients }: Affine, axes: readonly number[], axis: number): boolean {
  const others = coefficients.every((c, other) => other === axis || axes[other] === 1 || c % 4 === 0);
  return axes[axis] % 4 === 0 && coefficients[axis] === 1 && offset % 4 === 0 && others;
}

/** Whether an expression can be evaluated at four neighbours along an axis at once. */
function takesFour(root: Expression, axes: readonly number[], axis: number): boolean {
  let fits = true;
  visitExpression(root, (node) => {
    if (node.kind === "load") {
      fits &&= !node.row && (node.index.coefficients[axis] === 0 || isAligned(node.index, axes, axis));
    } else if (node.kind === "within" && node.index.coefficients[axis] !== 0) {
      // All four lie on one side of the condition.
      fits &&= isAligned(node.index, axes, axis) && node.low % 4 === 0 && node.high % 4 === 0;
    }
  });
  return fits;
}

/**
 * The buffers to be read and written four elements at a time when a kernel works on four neighbours along an axis at
 * once; undefined where it cannot.
 */
export function vectorBuffers(
  roots: readonly Expression[],
  stores: readonly Store[],
  axes: readonly number[],
  axis: number,
): Set<Buffer> | undefined {
  if (axes[axis] % 4 !== 0) return undefined;
  const fits =
    [...roots, ...stores.map(({ value }) => value)].every((root) => takesFour(root, axes, axis)) &&
    stores.every(({ index }) => isAligned(index, axes, axis));
  if (!fits) return undefined;
  const written = new Set(stores.map(({ buffer }) => buffer));
  const vectors = new Set(written);
  let mixes = false;
  for (const root of [...roots, ...stores.map(({ value }) => value)])
    visitExpression(root, (node) => {
      if (node.kind !== "load") return;
      if (node.index.coefficients[axis] === 1) vectors.add(node.buffer);
      else mixes ||= written.has(node.buffer);
    });
  return mixes ? undefined : vectors;
}

/** The axis along which neighbours of a kernel's results are neighbours in memory. */
export function storedAxis({ kind, axes }: Pick<MapKernel | DotKernel | ConvolutionKernel, "kind" | "axes">): number {
  return kind === "dot" ? axes.length - 2 : axes.length - 1;
}

/** How a reduction reads and writes: along its terms or along its results, and what of it four neighbours at a time. */
export interface ReductionVectors {
  /** Whether neighbouring invocations take neighbouring terms of one result, rather than neighbouring results. */
  readonly alongTerms: boolean;
  /** Undefined where a kernel cannot take four at once. */
  readonly vectors: ReadonlySet<Buffer> | undefined;
}

export function reductionVectors(kernel: ReduceKernel): ReductionVectors {
  const { axes, kept, stages, stores } = kernel;
  const alongTerms = adjacentLoads(kernel, axes.length - 1) >= adjacentLoads(kernel, kept - 1);
  const axis = alongTerms ? axes.length - 1 : kept - 1;
  if (axis < 0) return { alongTerms, vectors: undefined };
  const values = stages.flatMap(({ accumulators }) => accumulators.map(({ value }) => value));
  const ofTerms = stages.flatMap((stage) => stage.stores);
  const vectors = vectorBuffers(values, alongTerms ? ofTerms : [...ofTerms, ...stores], axes, axis);
  // What is stored for each result is then stored alone.
  const isMixed = alongTerms && stores.some(({ buffer }) => vectors?.has(buffer));
  return { alongTerms, vectors: isMixed ? undefined : vectors };
}

/** Loads whose neighbours in memory are neighbours along an axis. */
function adjacentLoads({ axes, stages }: ReduceKernel, axis: number): number {
  if (axis < 0 || axes[axis] === 1) return -1;
  let count = 0;
  const seen = new Set<Expression>();
  for (const root of stages.flatMap(valuesOf))
    visitExpression(root, (node) => node.kind === "load" && node.index.coefficients[axis] === 1 && count++, seen);
  return count;
}

/** The buffers that a kernel writes four elements at a time, always. Of a reduction those of its terms: its results are few. */
export function writtenByFours(kernel: Kernel): Buffer[] {
  switch (kernel.kind) {
    case "attention":
    case "attentionGradient":
      return kernel.shape.channels % 4 === 0 ? writesOf(kernel) : [];
    case "map":
    case "dot":
    case "convolution":
      return storesFours(kernel) ? writesOf(kernel) : [];
    case "reduce":
      return reductionVectors(kernel).vectors
        ? kernel.stages.flatMap(({ stores }) => stores.map(({ buffer }) => buffer))
        : [];
    case "filterGradient":
    case "transform":
      return [];
  }
}

/** Whether a kernel writes all its results four at a time. */
export function storesFours({
  kind,
  axes,
  stores,
}: Pick<MapKernel | DotKernel | ConvolutionKernel, "kind" | "axes" | "stores">): boolean {
  return vectorBuffers([], stores, axes, storedAxis({ kind, axes })) !== undefined;
}
