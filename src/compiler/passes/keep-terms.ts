import { mapExpression, visitExpression } from "../program.ts";
import type { Accumulator, Expression, Kernel, Stage } from "../program.ts";
import type { Fusion } from "../target.ts";
import { costOf } from "./cost.ts";

/**
 * What a reduction's store over the terms shares with a sum before it, if taking it again would cost more than reading it
 * back, is stored there already: softmax takes its exponentials once.
 */
export function keepTerms(kernels: readonly Kernel[], { mostRepeatedOperations }: Fusion): Kernel[] {
  return kernels.map((kernel) =>
    kernel.kind === "reduce" && kernel.stages.length > 1
      ? { ...kernel, stages: keptIn(kernel.stages, mostRepeatedOperations) }
      : kernel,
  );
}

function keptIn(stages: readonly Stage[], mostOperations: number): Stage[] {
  const kept = stages.map(({ accumulators, stores }) => ({ accumulators, stores: [...stores] }));
  kept.forEach((stage, i) => {
    stage.stores = stage.stores.map((store) => {
      for (const before of kept.slice(0, i)) {
        const shared = sharedTerm(store.value, before.accumulators, mostOperations);
        if (!shared) continue;
        const { buffer, index } = store;
        before.stores.push({ buffer, index, value: shared });
        const again: Expression = { kind: "load", dtype: shared.dtype, buffer, index };
        return { buffer, index, value: mapExpression(store.value, (node) => (node === shared ? again : undefined)) };
      }
      return store;
    });
  });
  return kept;
}

/** The largest part of a value that some accumulator computes too, of more operations than may be done again. */
function sharedTerm(
  value: Expression,
  accumulators: readonly Accumulator[],
  mostOperations: number,
): Expression | undefined {
  const known = new Set<Expression>();
  for (const accumulator of accumulators) visitExpression(accumulator.value, (node) => known.add(node), known);
  let shared: Expression | undefined;
  visitExpression(value, (node) => {
    if (!shared && known.has(node) && node.dtype === value.dtype && operationsOf(node) > mostOperations) shared = node;
  });
  return shared;
}

/** In additions. */
function operationsOf(root: Expression): number {
  let operations = 0;
  visitExpression(root, (node) => {
    if (node.kind === "apply") operations += costOf(node.op);
  });
  return operations;
}
