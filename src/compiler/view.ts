import { isMovement } from "../tensor/op.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Affine } from "./affine.ts";
import { ExpressionBuilder, NeedsStorage, buildOver } from "./expression.ts";
import type { Space } from "./expression.ts";
import type { Buffer } from "./program.ts";

/** The tensor that a chain of movement ops on one operand starts from. */
export function baseOf(tensor: Tensor): Tensor {
  let node = tensor;
  while (isMovement(node.op) && node.inputs.length === 1) node = node.inputs[0];
  return node;
}

/** The first tensors below movement, of which a tensor's elements are taken. */
export function basesOf(tensor: Tensor): Tensor[] {
  return isMovement(tensor.op) ? tensor.inputs.flatMap(basesOf) : [tensor];
}

/** Step between neighbours along a dimension, where a single step serves the whole of it. */
export function stepAlong(space: Space, dimension: number, index: Affine): number | undefined {
  const parts = axesOf(space, dimension);
  if (parts.length === 0) return 0;
  for (let i = 0; i + 1 < parts.length; i++) {
    const [outer, inner] = [parts[i], parts[i + 1]];
    if (index.coefficients[outer] !== index.coefficients[inner] * space.axes[inner]) return undefined;
  }
  return index.coefficients[parts[parts.length - 1]];
}

/** The loop axes longer than 1 that a dimension was split into, outermost first. */
function axesOf(space: Space, dimension: number): number[] {
  const { coefficients } = space.coordinates[dimension];
  return coefficients.flatMap((c, axis) => (c !== 0 && space.axes[axis] > 1 ? [axis] : []));
}

/**
 * Whether a [batch, rows, columns] operand can be read where it lies: a plain view of its base in which each
 * of the given dimensions has one step, and `adjacent` (if given) a step of 1.
 */
export function isStridedView(operand: Tensor, dimensions: readonly number[], adjacent?: number): boolean {
  const stand: Buffer = { id: -1, dtype: operand.dtype, length: 0, source: { kind: "temporary" } };
  const bufferOf = (tensor: Tensor): Buffer | undefined => (isMovement(tensor.op) ? undefined : stand);
  try {
    return buildOver(operand.shape, (space) => {
      const view = new ExpressionBuilder({ axes: space.axes, bufferOf, slotOf: () => undefined }).at(
        operand,
        space.coordinates,
      );
      if (view.kind !== "load" || view.row) return false;
      const steps = dimensions.map((dimension) => stepAlong(space, dimension, view.index));
      const adjacentStep = adjacent === undefined ? 1 : stepAlong(space, adjacent, view.index);
      const isAdjacent = adjacentStep === 1 || (adjacent !== undefined && operand.shape[adjacent] === 1);
      return steps.every((step) => step !== undefined) && isAdjacent;
    });
  } catch (request) {
    if (request instanceof NeedsStorage) return false;
    throw request;
  }
}
