import type { Graph } from "../../src/tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../src/tensor/graph.ts";
import type { OpKind } from "../../src/tensor/op.ts";
import { Tensor, literal } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";

const ROUNDED: ReadonlySet<OpKind> = new Set<OpKind>([
  "exponential",
  "log",
  "sqrt",
  "rsqrt",
  "tanh",
  "logistic",
  "erf",
  "sine",
  "cosine",
  "add",
  "subtract",
  "multiply",
  "divide",
  "power",
  "scatter_add",
  "reduce",
  "dot_general",
  "convolution",
  "convolution_filter_gradient",
]);
const SUMS: ReadonlySet<OpKind> = new Set<OpKind>([
  "scatter_add",
  "reduce",
  "dot_general",
  "convolution",
  "convolution_filter_gradient",
]);

/**
 * The same graph where every op that rounds is off by a random relative error of up to `size`: what it computes
 * shows how much rounding matters to each result.
 */
export function perturb(graph: Graph, random: Random, size: number): Graph {
  const copies = new Map<Tensor, Tensor>();
  const copyOf = (node: Tensor): Tensor => copies.get(node) ?? node;
  const disturb = (x: Tensor): Tensor => {
    if (x.dtype !== "f32") return x;
    const noise = random.array(x.shape, "f32", () => 1 + random.between(-size, size));
    return x.multiply(literal(noise));
  };
  for (const node of topologicalOrder(rootsOf(graph))) {
    if (node.inputs.length === 0) continue;
    const exact = !ROUNDED.has(node.op.kind) || (node.op.kind === "reduce" && node.op.reduction !== "sum");
    const operands = node.inputs.map(copyOf);
    const summands = !exact && SUMS.has(node.op.kind) ? operands.map(disturb) : operands;
    const copy = new Tensor(node.op, summands);
    copies.set(node, exact ? copy : disturb(copy));
  }
  return {
    inputs: graph.inputs,
    outputs: graph.outputs.map(copyOf),
    updates: graph.updates.map(({ variable, value }) => ({ variable, value: copyOf(value) })),
  };
}
