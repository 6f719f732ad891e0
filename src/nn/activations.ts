import { gelu, silu } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** x * sigmoid(x), also called swish (Elfwing et al. 2017, 1702.03118). Any shape. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

/** x * Phi(x) with the exact normal distribution function Phi (Hendrycks & Gimpel 2016, 1606.08415). Any shape. */
export class GELU extends Module {
  forward(x: Tensor): Tensor {
    return gelu(x);
  }
}
