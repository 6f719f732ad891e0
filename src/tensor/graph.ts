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

/**
 * The same tensors in an order that follows from the graph alone, operands before users: equal graphs have it in common,
 * whichever of their tensors are the older ones. (A variable's tensor is as old as the first program that names it.)
 */
export function structuralOrder(roots: readonly Tensor[]): Tensor[] {
  const done = new Set<Tensor>();
  for (const root of roots) {
    const path = [{ node: root, next: 0 }];
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { node } = top;
      const input = done.has(node) ? undefined : node.inputs.at(top.next++);
      if (input !== undefined) {
        if (!done.has(input)) path.push({ node: input, next: 0 });
        continue;
      }
      done.add(node);
      path.pop();
    }
  }
  return [...done];
}

/** All variables that a graph reads or updates, in an order that follows from the graph alone. */
export function variablesOf(graph: Graph): Variable[] {
  const read = structuralOrder(rootsOf(graph)).flatMap(({ op }) => (op.kind === "variable" ? [op.variable] : []));
  return [...new Set([...read, ...graph.updates.map(({ variable }) => variable)])];
}

/** The tensors that use each tensor, once per operand place. */
export function usersOf(order: readonly Tensor[]): Map<Tensor, Tensor[]> {
  const users = new Map<Tensor, Tensor[]>(order.map((node) => [node, []]));
  for (const node of order) for (const input of node.inputs) users.get(input)?.push(node);
  return users;
}
