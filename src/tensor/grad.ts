import { topologicalOrder } from "./graph.ts";
import { formatShape } from "./shape.ts";
import { full, scalar } from "./tensor.ts";
import type { Tensor } from "./tensor.ts";
import { vectorJacobianProduct } from "./vjp.ts";

/**
 * Gradients of a scalar with respect to tensors of its graph, as a graph. A tensor on which the scalar
 * does not depend gets zeros.
 *
 * @throws if `loss` is no f32 scalar or a tensor to differentiate by is not f32
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.rank !== 0 || loss.dtype !== "f32") {
    throw new Error(`grad: needs an f32 scalar, got ${loss.dtype}${formatShape(loss.shape)}`);
  }
  for (const x of wrt) if (x.dtype !== "f32") throw new Error(`grad: can differentiate by f32 only, got ${x.dtype}`);

  const order = topologicalOrder([loss]);
  const active = new Set<Tensor>(wrt);
  for (const node of order) if (node.inputs.some((x) => active.has(x))) active.add(node);

  const cotangents = new Map<Tensor, Tensor>([[loss, scalar(1)]]);
  for (const node of order.toReversed()) {
    const cotangent = cotangents.get(node);
    if (!cotangent || !active.has(node)) continue;
    const parts = vectorJacobianProduct(node, cotangent);
    node.inputs.forEach((x, i) => {
      const part = parts[i];
      if (!part || !active.has(x)) return;
      const known = cotangents.get(x);
      cotangents.set(x, known ? known.add(part) : part);
    });
  }
  return wrt.map((x) => cotangents.get(x) ?? full(x.shape, 0));
}
