import { rootsOf, topologicalOrder, usersOf } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { NeedsStorage } from "../expression.ts";
import { Tails } from "../passes/tails.ts";
import { standIn } from "../view.ts";
import { productLoops } from "./contraction.ts";

/**
 * Products that have to be stored as they are, since what follows them would not fit into their loops. Lowering finds
 * them too, but then everything is scheduled and lowered once more.
 */
export function productsToStore(graph: Graph): Set<Tensor> {
  const roots = new Set(rootsOf(graph));
  const order = topologicalOrder([...roots]);
  const tails = new Tails(
    order,
    usersOf(order),
    (tensor) => roots.has(tensor),
    () => false,
  );
  const stored = new Set<Tensor>();
  for (const end of tails.ends) {
    const result = tails.around(end);
    if (result?.op.kind !== "dot_general" || result === end) continue;
    // Where its operands lie does not matter: they are copied if need be.
    const bufferOf = standIn((tensor) => result.inputs.includes(tensor));
    const of = (tensor: Tensor) => (tails.around(tensor) === result ? undefined : bufferOf(tensor));
    if (!fits(result, end, of)) stored.add(result);
  }
  return stored;
}

function fits(result: Tensor, end: Tensor, of: ReturnType<typeof standIn>): boolean {
  try {
    productLoops({ results: [result], stores: [end] }, { of });
    return true;
  } catch (request) {
    if (request instanceof NeedsStorage) return request.tensor !== result;
    throw request;
  }
}
