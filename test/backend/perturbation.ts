import type { Graph } from "../../src/tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../src/tensor/graph.ts";
import type { OpKind } from "../../src/tensor/op.ts";
import { sizeOf } from "../../src/tensor/shape.ts";
import { Tensor, literal } from "../../src/tensor/tensor.ts";
import type { Random } from "../support/random.ts";

/** Elementwise ops whose result is rounded. */
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
]);
/** How many numbers each element of a sum is the sum of, at most; undefined for ops that do not add up. */
function termsOf({ op, inputs, size }: Tensor): number | undefined {
  const [a, b] = inputs;
  switch (op.kind) {
    case "reduce":
      return op.reduction === "sum" ? a.size / Math.max(1, size) : undefined;
    case "dot_general":
      return sizeOf(op.lhsContract.map((axis) => a.shape[axis]));
    case "convolution":
      return sizeOf(b.shape.slice(0, 3));
    case "convolution_filter_gradient":
      return sizeOf(b.shape.slice(0, 3));
    case "softmax":
      return a.shape[op.axis];
    case "variance":
      return a.size / Math.max(1, size);
    case "attention":
    case "attention_logsumexp":
    case "attention_gradient":
      return Math.max(a.shape[1], b.shape[1]);
    case "scatter_add":
      return a.size;
    default:
      return undefined;
  }
}

/**
 * The same graph where every op that rounds is off by a random relative error of up to `size`: what it computes
 * shows how much rounding matters to each result. Long sums are off by more, as adding in turn rounds every time.
 */
export function perturb(graph: Graph, random: Random, size: number): Graph {
  const copies = new Map<Tensor, Tensor>();
  const copyOf = (node: Tensor): Tensor => copies.get(node) ?? node;
  const disturb = (x: Tensor, by: number): Tensor => {
    if (x.dtype !== "f32") return x;
    const noise = random.array(x.shape, "f32", () => 1 + random.between(-by, by));
    return x.multiply(literal(noise));
  };
  for (const node of topologicalOrder(rootsOf(graph))) {
    if (node.inputs.length === 0) continue;
    const operands = node.inputs.map(copyOf);
    const terms = termsOf(node);
    if (terms !== undefined) {
      const by = size * Math.max(1, Math.sqrt(terms) / 8);
      copies.set(
        node,
        disturb(
          new Tensor(
            node.op,
            operands.map((x) => disturb(x, by)),
          ),
          by,
        ),
      );
    } else {
      const copy = new Tensor(node.op, operands);
      copies.set(node, ROUNDED.has(node.op.kind) ? disturb(copy, size) : copy);
    }
  }
  return {
    inputs: graph.inputs,
    outputs: graph.outputs.map(copyOf),
    updates: graph.updates.map(({ variable, value }) => ({ variable, value: copyOf(value) })),
  };
}
