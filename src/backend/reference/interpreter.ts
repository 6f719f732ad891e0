import type { TypedArray } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { OpKind } from "../../tensor/op.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { attention } from "./attention.ts";
import { composites } from "./composites.ts";
import { contraction } from "./contraction.ts";
import { elementwise } from "./elementwise.ts";
import { leaves } from "./leaves.ts";
import type { Meaning, Meanings } from "./meaning.ts";
import { movement } from "./movement.ts";
import { rows } from "./rows.ts";

const meanings: Meanings<Exclude<OpKind, "input" | "variable">> = {
  ...leaves,
  ...elementwise,
  ...movement,
  ...rows,
  ...contraction,
  ...attention,
  ...composites,
};

/** Values from outside the graph. */
export interface Bindings {
  readonly inputs: readonly NdArray[];
  readonly valueOf: (variable: Variable) => TypedArray;
}

export interface Results {
  readonly outputs: readonly NdArray[];
  /** The next value of each updated variable, in the order of the graph's updates. */
  readonly updates: readonly TypedArray[];
}

/** One step per tensor, operands first; a value that no later step reads is dropped after its last use. */
export interface Plan {
  readonly steps: readonly { readonly node: Tensor; readonly lastUses: readonly Tensor[] }[];
  readonly peakBytes: number;
}

export function planOf(graph: Graph): Plan {
  const order = topologicalOrder(rootsOf(graph));
  const lastUser = new Map<Tensor, Tensor>();
  for (const node of order) for (const input of node.inputs) lastUser.set(input, node);
  for (const root of rootsOf(graph)) lastUser.delete(root);
  let bytes = 0;
  let peakBytes = 0;
  const steps = order.map((node) => {
    const lastUses = [...new Set(node.inputs)].filter((input) => lastUser.get(input) === node);
    bytes += bytesOf(node);
    peakBytes = Math.max(peakBytes, bytes);
    for (const input of lastUses) bytes -= bytesOf(input);
    return { node, lastUses };
  });
  return { steps, peakBytes };
}

function bytesOf({ op, size }: Tensor): number {
  return op.kind === "input" || op.kind === "variable" || op.kind === "literal" ? 0 : size * 4;
}

/** Computes every root from the old values of all variables. Results are fresh arrays. */
export function interpret(graph: Graph, plan: Plan, bindings: Bindings): Results {
  const values = new Map<Tensor, NdArray>();
  const value = (node: Tensor): NdArray => {
    const known = values.get(node);
    if (!known) throw new Error(`internal: ${node.toString()} was read before it was computed`);
    return known;
  };
  for (const { node, lastUses } of plan.steps) {
    const data = evaluate(node, node.inputs.map(value), bindings);
    values.set(node, { shape: node.shape, dtype: node.dtype, data });
    for (const input of lastUses) values.delete(input);
  }
  return {
    outputs: graph.outputs.map((node) => ({ ...value(node), data: value(node).data.slice() })),
    updates: graph.updates.map((update) => value(update.value).data.slice()),
  };
}

function evaluate(node: Tensor, inputs: readonly NdArray[], bindings: Bindings): TypedArray {
  const { op } = node;
  if (op.kind === "input") return bindings.inputs[op.index].data;
  if (op.kind === "variable") return bindings.valueOf(op.variable);
  const meaning = meanings[op.kind] as Meaning<OpKind>;
  return meaning(op, inputs, node);
}
