import type { Graph } from "../../tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { TensorType } from "../../tensor/infer.ts";
import { allocate } from "../../tensor/dtype.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { formatShape, sameShape, sizeOf } from "../../tensor/shape.ts";

const describe = ({ shape, dtype }: TensorType): string => dtype + formatShape(shape);

/** What every backend requires of a graph before it compiles it. */
export function checkGraph(graph: Graph): void {
  const inputs = new Set(graph.inputs);
  for (const node of topologicalOrder(rootsOf(graph))) {
    if (node.op.kind === "input" && !inputs.has(node)) {
      throw new Error(`load: the graph uses input ${node.op.index}, which is not among its ${inputs.size} inputs`);
    }
  }
  graph.inputs.forEach(({ op }, place) => {
    if (op.kind !== "input" || op.index !== place) throw new Error(`load: input ${place} is the node of another place`);
  });
  const updated = new Set<unknown>();
  for (const { variable, value } of graph.updates) {
    if (variable.packed) {
      throw new Error(
        `load: variable ${variable.name} is stored as ${variable.storage}, which programs only read: train in f32`,
      );
    }
    if (updated.has(variable)) throw new Error(`load: variable ${variable.name} has more than one update`);
    updated.add(variable);
    if (sameShape(variable.shape, value.shape) && variable.dtype === value.dtype) continue;
    throw new Error(`load: variable ${variable.name} is ${describe(variable)}, its update ${describe(value)}`);
  }
}

/** What every backend requires of the arrays that a run is given. */
export function checkInputs(graph: Graph, inputs: readonly NdArray[]): void {
  if (inputs.length !== graph.inputs.length) {
    throw new Error(`run: the program takes ${graph.inputs.length} inputs, got ${inputs.length}`);
  }
  graph.inputs.forEach((expected, i) => {
    const given = inputs[i];
    if (!sameShape(given.shape, expected.shape) || given.dtype !== expected.dtype) {
      throw new Error(`run: input ${i} must be ${describe(expected)}, got ${describe(given)}`);
    }
    checkArray(`run: input ${i}`, given);
  });
}

/** @throws one line unless it is an NdArray that has as many values, and of the kind, as its shape and dtype say */
export function checkArray(what: string, array: NdArray): void {
  // Callers in plain JavaScript give anything.
  const { shape, dtype, data } = (array ?? {}) as Partial<NdArray>;
  if (!shape || !dtype || !data) throw new Error(`${what} must be an NdArray, as of ndarray([1, 2], [2])`);
  const storage = allocate(dtype, 0).constructor;
  if (data.length === sizeOf(shape) && data.constructor === storage) return;
  const got = `${data.constructor.name} of ${data.length}`;
  throw new Error(`${what} needs ${storage.name} of ${sizeOf(shape)}, got ${got}`);
}
