import type { Graph } from "../tensor/graph.ts";
import { coalesce } from "./axes.ts";
import type { BufferTable } from "./buffers.ts";
import { NeedsStorage, buildOver } from "./expression.ts";
import { lowerConvolution, lowerDot, lowerFilterGradient } from "./lower-contraction.ts";
import { NeedsOwnKernels, lowerReduce } from "./lower-reduce.ts";
import { builderFor, loops, storesOf, withBuffers } from "./lowering.ts";
import type { Kernel } from "./program.ts";
import type { ScheduledKernel } from "./scheduled-kernel.ts";

type Lowering = (kernel: ScheduledKernel, table: BufferTable) => Kernel;

const lowerings: { readonly [K in ScheduledKernel["kind"]]: Lowering } = {
  map: lowerMap,
  reduce: lowerReduce,
  dot_general: lowerDot,
  convolution: lowerConvolution,
  convolution_filter_gradient: lowerFilterGradient,
};

/** Index arithmetic for every scheduled kernel. Throws NeedsStorage where one cannot be expressed. */
export function lower(graph: Graph, schedule: readonly ScheduledKernel[], table: BufferTable): Kernel[] {
  for (const input of graph.inputs) table.of(input);
  return schedule.flatMap((kernel) => lowerKernel(kernel, table));
}

function lowerKernel(kernel: ScheduledKernel, table: BufferTable): Kernel[] {
  if (kernel.stores.every((store) => store.size === 0)) {
    for (const store of kernel.stores) table.add(store);
    return [];
  }
  try {
    return [lowerings[kernel.kind](kernel, table)];
  } catch (request) {
    const { parts } = kernel;
    if (!parts || !(request instanceof NeedsOwnKernels || request instanceof NeedsStorage)) throw request;
    return parts.flatMap((part) => lowerKernel(part, table));
  }
}

function lowerMap(kernel: ScheduledKernel, table: BufferTable): Kernel {
  const { shape } = kernel.stores[0];
  const { axes, stores } = buildOver(shape.length === 0 ? [1] : shape, (space) => {
    const builder = builderFor(space.axes, kernel, table);
    return { axes: space.axes, stores: storesOf(kernel, builder, space, space.axes.length) };
  });
  const result = coalesce(loops(axes, [axes.length], { stores: withBuffers(kernel.stores, stores, table) }));
  return { kind: "map", axes: result.axes, stores: result.stores };
}
