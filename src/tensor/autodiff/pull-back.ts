import { topologicalOrder } from "../graph.ts";
import type { Tensor } from "../tensor.ts";

/** Cotangents of a node's operands, given its own; undefined where none flows. */
export type VectorJacobianProduct = (node: Tensor, cotangent: Tensor) => readonly (Tensor | undefined)[];

/**
 * The cotangents of tensors of a graph, given that of its end; undefined for those on which it does not depend.
 *
 * @param leaves tensors that are taken as given, whatever they were made of
 */
export function pullBack(
  end: Tensor,
  cotangent: Tensor,
  wrt: readonly Tensor[],
  vectorJacobianProduct: VectorJacobianProduct,
  leaves: readonly Tensor[] = [],
): (Tensor | undefined)[] {
  const order = topologicalOrder([end]);
  const active = new Set<Tensor>(wrt);
  for (const node of order) if (node.inputs.some((x) => active.has(x))) active.add(node);

  const cotangents = new Map<Tensor, Tensor>([[end, cotangent]]);
  for (const node of order.toReversed()) {
    const own = cotangents.get(node);
    if (!own || !active.has(node) || leaves.includes(node)) continue;
    const parts = vectorJacobianProduct(node, own);
    node.inputs.forEach((x, i) => {
      const part = parts[i];
      if (!part || !active.has(x)) return;
      const known = cotangents.get(x);
      cotangents.set(x, known ? known.add(part) : part);
    });
  }
  return wrt.map((x) => cotangents.get(x));
}
