import { pullBack } from "./pull-back.ts";
import { formatShape } from "../shape.ts";
import { full, scalar } from "../tensor.ts";
import type { Tensor } from "../tensor.ts";
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
  const cotangents = pullBack(loss, scalar(1), wrt, vectorJacobianProduct);
  return wrt.map((x, i) => cotangents[i] ?? full(x.shape, 0));
}
