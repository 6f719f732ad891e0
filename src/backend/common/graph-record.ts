import type { TypedArray } from "../../tensor/dtype.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { Op, OpOf } from "../../tensor/op.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";

/** A graph as plain data that can be sent to a worker. Tensors are places in `nodes`, variables are numbers. */
export interface GraphRecord {
  /** Operands before users. */
  readonly nodes: readonly NodeRecord[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly updates: readonly (readonly [variable: number, value: number])[];
}

interface NodeRecord {
  readonly op: Exclude<Op, OpOf<"variable">> | { readonly kind: "variable"; readonly variable: number };
  readonly inputs: readonly number[];
}

/**
 * @param numberOf names a variable on the other side
 * @param orderOf in what order the tensors stand: that in which they were made unless given
 */
export function recordGraph(
  graph: Graph,
  numberOf: (variable: Variable) => number,
  orderOf: (roots: readonly Tensor[]) => readonly Tensor[] = topologicalOrder,
): GraphRecord {
  const order = orderOf([...graph.inputs, ...rootsOf(graph)]);
  const places = new Map(order.map((node, place) => [node, place]));
  const placeOf = (node: Tensor): number => places.get(node) ?? -1;
  return {
    nodes: order.map(({ op, inputs }) => ({ op: recordOp(op, numberOf), inputs: inputs.map(placeOf) })),
    inputs: graph.inputs.map(placeOf),
    outputs: graph.outputs.map(placeOf),
    updates: graph.updates.map(({ variable, value }) => [numberOf(variable), placeOf(value)]),
  };
}

export function graphOf(record: GraphRecord, variableOf: (number: number) => Variable): Graph {
  const nodes: Tensor[] = [];
  const nodeAt = (place: number): Tensor => nodes[place];
  for (const { op, inputs } of record.nodes) {
    const own: Op = op.kind === "variable" ? { kind: "variable", variable: variableOf(op.variable) } : op;
    nodes.push(new Tensor(own, inputs.map(nodeAt)));
  }
  return {
    inputs: record.inputs.map(nodeAt),
    outputs: record.outputs.map(nodeAt),
    updates: record.updates.map(([variable, value]) => ({ variable: variableOf(variable), value: nodeAt(value) })),
  };
}

function recordOp(op: Op, numberOf: (variable: Variable) => number): NodeRecord["op"] {
  if (op.kind === "variable") return { kind: "variable", variable: numberOf(op.variable) };
  return op.kind === "literal" ? { ...op, data: compact(op.data) } : op;
}

/** Cloning a view clones all of the buffer below it, so a part of a larger one is copied first. */
export function compact(data: TypedArray): TypedArray {
  return data.byteLength === data.buffer.byteLength ? data : data.slice();
}
