import { scalar } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The Euclidean norm of all gradients taken as one vector. */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  return gradients.reduce<Tensor>((total, gradient) => total.add(gradient.square().sum()), scalar(0)).sqrt();
}

/** Scales gradients down together so that their global norm is at most `maxNorm`, as PyTorch's clip_grad_norm_. */
export function clipByGlobalNorm(gradients: readonly Tensor[], maxNorm: number): Tensor[] {
  const scale = scalar(maxNorm).divide(globalNorm(gradients).add(1e-6)).minimum(1);
  return gradients.map((gradient) => gradient.multiply(scale));
}
