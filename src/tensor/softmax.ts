import type { Tensor } from "./tensor.ts";

/** What the op is composed of: the maximum, which cancels, is subtracted before exponentials are taken. */
export function composeSoftmax(x: Tensor, axis: number): Tensor {
  const exp = x.subtract(x.max(axis, true).stopGradient()).exp();
  return exp.divide(exp.sum(axis, true));
}

/** y (g - sum(y g)): from the result alone, so that neither x nor its exponentials are kept for it. */
export function softmaxGradient(y: Tensor, cotangent: Tensor, axis: number): Tensor {
  return y.multiply(cotangent.subtract(y.multiply(cotangent).sum(axis, true)));
}
