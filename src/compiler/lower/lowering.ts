import { constantAffine, flatten } from "../affine.ts";
import type { Loops } from "./axes.ts";
import type { BufferTable } from "./buffers.ts";
import { ExpressionBuilder } from "../expression.ts";
import type { Coordinates, Space } from "../expression.ts";
import type { Store } from "../program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { ScheduledKernel } from "../passes/scheduled-kernel.ts";

/** A store whose buffer is not made yet. */
export type PendingStore = Omit<Store, "buffer">;

/** Expressions of one kernel: what it stores itself is computed, what others stored is loaded. */
export function builderFor(
  axes: readonly number[],
  kernel: Pick<ScheduledKernel, "results">,
  table: Pick<BufferTable, "of">,
): ExpressionBuilder {
  return new ExpressionBuilder({
    axes,
    bufferOf: (tensor) => table.of(tensor),
    slotOf: (tensor) => {
      const slot = kernel.results.indexOf(tensor);
      return slot === -1 ? undefined : slot;
    },
  });
}

/** @param shape of the kernel's space, from which stores may differ by axes of 1 */
export function storesOf(
  kernel: Pick<ScheduledKernel, "stores">,
  builder: ExpressionBuilder,
  space: Space,
  shape: readonly number[],
): PendingStore[] {
  const rank = space.axes.length;
  const own = space.coordinates.slice(0, shape.length);
  return kernel.stores.map((tensor) => {
    const coordinates = reframe(own, shape, tensor.shape, rank);
    return { index: flatten(coordinates, tensor.shape, rank), value: builder.at(tensor, coordinates) };
  });
}

/** Coordinates in a shape that differs by axes of 1. */
export function reframe(at: Coordinates, shape: readonly number[], to: readonly number[], rank: number): Coordinates {
  const rest = at.filter((_, i) => shape[i] !== 1);
  let next = 0;
  return to.map((n) => (n === 1 ? constantAffine(0, rank) : rest[next++]));
}

/** Buffers appear only after all expressions were built, so that none reads its own kernel's. */
export function withBuffers(tensors: readonly Tensor[], stores: readonly PendingStore[], table: BufferTable): Store[] {
  return stores.map(({ index, value }, i) => ({ index, value, buffer: table.add(tensors[i]) }));
}

export function loops(axes: readonly number[], groups: readonly number[], parts: Partial<Loops>): Loops {
  return { axes, groups, stores: [], values: [], views: [], ...parts };
}
