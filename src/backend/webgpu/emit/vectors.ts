import type { Affine } from "../../../compiler/affine.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type {
  Buffer,
  ConvolutionKernel,
  DotKernel,
  Expression,
  Kernel,
  MapKernel,
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
export function storedAxis({ kind, axes }: MapKernel | DotKernel | ConvolutionKernel): number {
  return kind === "dot" ? axes.length - 2 : axes.length - 1;
}

/** Whether a kernel writes all its results four at a time. */
export function storesFours(kernel: Kernel): boolean {
  if (kernel.kind === "attention" || kernel.kind === "attentionGradient") return kernel.shape.channels % 4 === 0;
  if (!("stores" in kernel) || kernel.kind === "reduce") return false;
  return vectorBuffers([], kernel.stores, kernel.axes, storedAxis(kernel)) !== undefined;
}
