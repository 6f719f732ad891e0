import { isMovement } from "../tensor/op.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Affine } from "./affine.ts";
import { ExpressionBuilder, NeedsSplit, NeedsStorage, buildOver, spaceOf } from "./expression.ts";
import type { Coordinates, Space } from "./expression.ts";
import type { Buffer } from "./program.ts";

export type IsStored = (tensor: Tensor) => boolean;

/** The tensor that a chain of movement ops on one operand starts from. */
export function baseOf(tensor: Tensor, isStored: IsStored): Tensor {
  let node = tensor;
  while (isMovement(node.op) && node.inputs.length === 1 && !isStored(node)) node = node.inputs[0];
  return node;
}

/** The first tensors below movement, of which a tensor's elements are taken. */
export function basesOf(tensor: Tensor): Tensor[] {
  return isMovement(tensor.op) ? tensor.inputs.flatMap(basesOf) : [tensor];
}

/** Dimensions of an operand that need a single step each, and one that needs a step of 1. */
export interface ViewLayout {
  readonly stepped: readonly number[];
  readonly adjacent?: number;
}

export const lhsLayout: ViewLayout = { stepped: [2] };
export const rhsLayout: ViewLayout = { stepped: [1], adjacent: 2 };
/** Of [batch, tokens, heads, channels]. */
export const headsLayout: ViewLayout = { stepped: [0, 1, 2, 3], adjacent: 3 };

/** Whether an index into memory steps through an operand's dimensions as a layout demands. */
export function fitsLayout(
  operand: Tensor,
  space: Pick<Space, "axes">,
  coordinates: Coordinates,
  index: Affine,
  { stepped, adjacent }: ViewLayout,
): boolean {
  const stepOf = (dimension: number): number | undefined => stepAlong(space.axes, coordinates[dimension], index);
  if (stepped.some((dimension) => stepOf(dimension) === undefined)) return false;
  return adjacent === undefined || operand.shape[adjacent] === 1 || stepOf(adjacent) === 1;
}

/** Step between neighbours along a dimension, where a single step serves the whole of it. */
export function stepAlong(axes: readonly number[], coordinate: Affine, index: Affine): number | undefined {
  const parts = coordinate.coefficients.flatMap((c, axis) => (c !== 0 && axes[axis] > 1 ? [axis] : []));
  if (parts.length === 0) return 0;
  for (let i = 0; i + 1 < parts.length; i++) {
    const [outer, inner] = [parts[i], parts[i + 1]];
    if (index.coefficients[outer] !== index.coefficients[inner] * axes[inner]) return undefined;
  }
  return index.coefficients[parts[parts.length - 1]];
}

/** Whether an image can be gathered while it is convolved: its movement needs no other axes than its own four. */
export function isGatherable(image: Tensor, isStored: IsStored): boolean {
  const { axes, coordinates } = spaceOf(image.shape);
  try {
    new ExpressionBuilder({ axes, bufferOf: standIn(isStored), slotOf: () => undefined }).at(image, coordinates);
    return true;
  } catch (request) {
    if (request instanceof NeedsStorage || request instanceof NeedsSplit) return false;
    throw request;
  }
}

/** A buffer for every tensor that is computed, as if all of those were stored. */
export function standIn(isStored: IsStored): (tensor: Tensor) => Buffer | undefined {
  return (tensor) =>
    isMovement(tensor.op) && !isStored(tensor)
      ? undefined
      : { id: -1, dtype: tensor.dtype, length: 0, source: { kind: "temporary" } };
}

/**
 * Whether a [batch, rows, columns] operand can be read where it lies: a plain view of its base in which each
 * of the layout's dimensions has one step, and the adjacent one a step of 1.
 */
export function isStridedView(operand: Tensor, isStored: IsStored, layout: ViewLayout): boolean {
  try {
    return buildOver(operand.shape, (space) => {
      const view = new ExpressionBuilder({ axes: space.axes, bufferOf: standIn(isStored), slotOf: () => undefined }).at(
        operand,
        space.coordinates,
      );
      if (view.kind !== "load" || view.row) return false;
      return fitsLayout(operand, space, space.coordinates, view.index, layout);
    });
  } catch (request) {
    if (request instanceof NeedsStorage) return false;
    throw request;
  }
}
