import type { Tensor } from "./tensor.ts";
import type { Variable } from "./variable.ts";

/** What a program computes: results to hand out, and variables that take a new value when it has run. */
export interface Graph {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly updates: readonly Update[];
}

export interface Update {
  readonly variable: Variable;
  readonly value: Tensor;
}

export function rootsOf(graph: Graph): Tensor[] {
  return [...graph.outputs, ...graph.updates.map((update) => update.value)];
}

/** Every tensor that the roots need, operands before users. Iterative: graphs run thousands deep. */
export function topologicalOrder(roots: readonly Tensor[]): Tensor[] {
  const seen = new Set<Tensor>(roots);
  const stack = [...seen];
  for (let node = stack.pop(); node; node = stack.pop()) {
    for (const input of node.inputs) {
      if (seen.has(input)) continue;
      seen.add(input);
      stack.push(input);
    }
  }
  return [...seen].toSorted((a, b) => a.id - b.id);
}

/** All variables that a graph reads or updates. */
export function variablesOf(graph: Graph): Variable[] {
  const read = topologicalOrder(rootsOf(graph)).flatMap(({ op }) => (op.kind === "variable" ? [op.variable] : []));
  return [...new Set([...read, ...graph.updates.map(({ variable }) => variable)])];
}

/** The tensors that use each tensor, once per operand place. */
export function usersOf(order: readonly Tensor[]): Map<Tensor, Tensor[]> {
  const users = new Map<Tensor, Tensor[]>(order.map((node) => [node, []]));
  for (const node of order) for (const input of node.inputs) users.get(input)?.push(node);
  return users;
}
