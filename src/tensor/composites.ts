import type { Tensor } from "./tensor.ts";

/** What softmax is composed of: the maximum, which cancels, is subtracted before exponentials are taken. */
export function composeSoftmax(x: Tensor, axis: number): Tensor {
  const exp = x.subtract(x.max(axis, true).stopGradient()).exp();
  return exp.divide(exp.sum(axis, true));
}

/** y (g - sum(y g)): from the result y alone, so that neither x nor its exponentials are kept for it. */
export function softmaxGradient(y: Tensor, cotangent: Tensor, axis: number): Tensor {
  return y.multiply(cotangent.subtract(y.multiply(cotangent).sum(axis, true)));
}

/** What variance is composed of. */
export function composeVariance(x: Tensor, axes: readonly number[]): Tensor {
  return around(x, axes).square().mean(axes, true);
}

/** g 2 (x - mean(x)) / n: how the mean moves changes nothing, as the differences from it add up to 0. */
export function varianceGradient(x: Tensor, cotangent: Tensor, axes: readonly number[]): Tensor {
  const share = 2 / axes.reduce((count, axis) => count * x.shape[axis], 1);
  return around(x, axes).multiply(cotangent.multiply(share));
}

function around(x: Tensor, axes: readonly number[]): Tensor {
  return x.subtract(x.mean(axes, true));
}
