import { composeAttention } from "../../tensor/attention.ts";
import type { AttentionOp } from "../../tensor/attention.ts";
import { composeSoftmax, composeVariance } from "../../tensor/composites.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { Op } from "../../tensor/op.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { AttentionShape } from "../program.ts";
import type { Target } from "../target.ts";
import { rebuild } from "./simplify.ts";

export function isAttention(op: Op): op is AttentionOp {
  return op.kind === "attention" || op.kind === "attention_logsumexp" || op.kind === "attention_gradient";
}

/** @param inputs of attention or its like: first the queries and the keys */
export function attentionShape([{ shape: q }, { shape: k }]: readonly Tensor[]): AttentionShape {
  return { batch: q[0], heads: q[2], queries: q[1], keys: k[1], channels: q[3] };
}

function isComposite(op: Op): boolean {
  return op.kind === "softmax" || op.kind === "variance" || isAttention(op);
}

/** Puts what composites are composed of in their place, but attention that the device has a kernel for. */
export function decompose(graph: Graph, fusesAttention: Target["fusesAttention"]): Graph {
  if (!topologicalOrder(rootsOf(graph)).some(({ op }) => isComposite(op))) return graph;
  return rebuild(graph, (op, inputs) => {
    if (op.kind === "softmax") return composeSoftmax(inputs[0], op.axis);
    if (op.kind === "variance") return composeVariance(inputs[0], op.axes);
    if (!isAttention(op)) return new Tensor(op, inputs);
    const isWhole = inputs.every(({ size }) => size > 0) && haveOneWidth(inputs);
    const pass = op.kind === "attention_gradient" ? "backward" : "forward";
    return isWhole && fusesAttention(attentionShape(inputs), pass)
      ? new Tensor(op, inputs)
      : composeAttention(op, inputs);
  });
}

/** Whether queries, keys and values have as many channels. */
function haveOneWidth([q, , v]: readonly Tensor[]): boolean {
  return v === undefined || v.shape[3] === q.shape[3];
}
