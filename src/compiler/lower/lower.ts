import type { Graph } from "../../tensor/graph.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { coalesce } from "./axes.ts";
import type { BufferTable } from "./buffers.ts";
import { NeedsStorage, buildOver } from "../expression.ts";
import { lowerAttention, lowerAttentionGradient } from "./attention.ts";
import { lowerConvolution, lowerDot, lowerFilterGradient } from "./contraction.ts";
import { NeedsOwnKernels, lowerReduce } from "./reduce.ts";
import { builderFor, loops, storesOf, withBuffers } from "./lowering.ts";
import type { Kernel } from "../program.ts";
import type { ScheduledKernel } from "../passes/scheduled-kernel.ts";

type Lowering = (kernel: ScheduledKernel, table: BufferTable) => Kernel;

const lowerings: { readonly [K in ScheduledKernel["kind"]]: Lowering } = {
  map: lowerMap,
  reduce: lowerReduce,
  dot_general: lowerDot,
  convolution: lowerConvolution,
  convolution_filter_gradient: lowerFilterGradient,
  attention: lowerAttention,
  attention_gradient: lowerAttentionGradient,
};

export interface Lowered {
  readonly kernels: readonly Kernel[];
  /** Tensors without which in memory some kernels could not be lowered; these are left out. */
  readonly missing: ReadonlySet<Tensor>;
}

/** Index arithmetic for every scheduled kernel. */
export function lower(graph: Graph, schedule: readonly ScheduledKernel[], table: BufferTable): Lowered {
  for (const input of graph.inputs) table.of(input);
  const missing = new Set<Tensor>();
  const kernels = schedule.flatMap((kernel) => {
    try {
      return lowerKernel(kernel, table);
    } catch (request) {
      if (!(request instanceof NeedsStorage)) throw request;
      missing.add(request.tensor);
      // What follows is lowered as if this kernel were there: it may miss tensors too.
      for (const store of kernel.stores) if (!table.of(store)) table.add(store);
      return [];
    }
  });
  return { kernels, missing };
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
    return { axes: space.axes, stores: storesOf(kernel, builder, space, shape) };
  });
  const result = coalesce(loops(axes, [axes.length], { stores: withBuffers(kernel.stores, stores, table) }));
  return { kind: "map", axes: result.axes, stores: result.stores };
}
