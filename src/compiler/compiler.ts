import type { Graph } from "../tensor/graph.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { decompose } from "./passes/composites.ts";
import { legalize } from "./passes/legalize.ts";
import { BufferTable } from "./lower/buffers.ts";
import { lower } from "./lower/lower.ts";
import { productsToStore } from "./lower/products.ts";
import type { Buffer, Kernel, Program } from "./program.ts";
import { joinAlike } from "./joining/join.ts";
import { keepTerms } from "./passes/keep-terms.ts";
import { mergeKernels } from "./passes/merge.ts";
import { schedule } from "./passes/schedule.ts";
import { isStoredLeaf } from "./passes/scheduled-kernel.ts";
import { dropDeadStores } from "./passes/dead-stores.ts";
import { simplify } from "./passes/simplify.ts";
import type { Fusion, Target } from "./target.ts";
import { commitUpdates, copyKernel } from "./passes/updates.ts";

/**
 * From a graph to kernels for a device that its backend describes:
 *
 * 1. simplify: composites become what they are composed of, but attention where the device has a kernel for it; equal
 *    subgraphs become one, constants fold, what changes nothing goes;
 * 2. legalize: down to the ops that kernels exist for;
 * 3. schedule and merge: what is stored, what is fused, which kernels;
 * 4. lower: index arithmetic over loop axes; what a reduction would compute twice is kept;
 * 5. commit: variables take their next values, in place where that is safe, and what nothing reads is not stored;
 * 6. join: kernels that do the same to buffers that can lie together are one.
 *
 * Memory is planned by the device, with `planMemory` where it has one address space.
 */
export function compileGraph(graph: Graph, target: Target): Program {
  const legal = legalize(simplify(decompose(graph, target.fusesAttention)), target.splitting);
  const { kernels, table } = scheduleAndLower(legal, target.fusion);
  const program = dropDeadStores(commit(legal, kernels, table));
  return target.joining ? joinAlike(program, target.joining) : { ...program, arenas: [], alignment: 1 };
}

/** Scheduling assumes that any movement can be fused; where lowering finds otherwise, it starts over with those tensors stored. */
function scheduleAndLower(graph: Graph, fusion: Fusion): { kernels: readonly Kernel[]; table: BufferTable } {
  const forced = productsToStore(graph);
  const updates = new Set(graph.updates.map(({ value }) => value));
  for (;;) {
    const table = new BufferTable();
    const { kernels, missing } = lower(graph, mergeKernels(schedule(graph, forced, fusion), updates, fusion), table);
    if (missing.size === 0) return { kernels: keepTerms(kernels, fusion), table };
    for (const tensor of missing) {
      if (forced.has(tensor)) throw new Error(`internal: ${tensor.toString()} cannot be stored`);
      forced.add(tensor);
    }
  }
}

function commit(graph: Graph, kernels: readonly Kernel[], table: BufferTable): Omit<Program, "arenas" | "alignment"> {
  // Inputs and variables may change while the program runs: what is handed out or moved on is a copy.
  const copies: Kernel[] = [];
  const copyOf = new Map<Tensor, Buffer>();
  const valueOf = (tensor: Tensor): Buffer => {
    const buffer = table.require(tensor);
    if (!isStoredLeaf(tensor)) return buffer;
    const known = copyOf.get(tensor) ?? table.allocate(tensor);
    if (!copyOf.has(tensor)) copies.push(copyKernel(buffer, known));
    copyOf.set(tensor, known);
    return known;
  };
  const outputs = graph.outputs.map(valueOf);
  const values = graph.updates.map(({ value }) => valueOf(value));
  const variables = new Map<Variable, Buffer>();
  for (const buffer of table.buffers)
    if (buffer.source.kind === "variable") variables.set(buffer.source.variable, buffer);
  const commits = graph.updates.map(({ variable }, i) => ({
    variable: variables.get(variable) ?? table.allocateVariable(variable),
    value: values[i],
  }));
  const committed = commitUpdates([...copies, ...kernels], commits);
  return {
    buffers: table.buffers,
    kernels: committed.kernels,
    outputs: outputs.map((buffer) => committed.replaced.get(buffer) ?? buffer),
  };
}
