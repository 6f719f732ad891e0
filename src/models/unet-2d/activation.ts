import { gelu, silu } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** The activations that diffusers knows by name. */
const activations = {
  silu,
  swish: silu,
  gelu,
  relu: (x: Tensor) => x.maximum(0),
  mish,
} as const;

export type ActivationName = keyof typeof activations;

export const activationNames = Object.keys(activations) as [ActivationName, ...ActivationName[]];

export function activation(name: ActivationName): (x: Tensor) => Tensor {
  return activations[name];
}

/** x tanh(log(1 + exp(x))) (Misra 2019, 1908.08681); with e = exp(x) the tanh is e (e + 2) / (e (e + 2) + 2). */
function mish(x: Tensor): Tensor {
  // Beyond 20 the quotient is 1 in f32, and e^2 would grow past its range.
  const e = x.minimum(20).exp();
  const product = e.multiply(e.add(2));
  return x.multiply(product.divide(product.add(2)));
}
