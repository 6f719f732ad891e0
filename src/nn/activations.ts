import { gelu, geluTanh, silu } from "../tensor/functions/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module/module.ts";
import { checkNames } from "../config/rules.ts";

/** x * sigmoid(x), also called swish (Elfwing et al. 2017, 1702.03118). Any shape. */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return silu(x);
  }
}

export interface GELUOptions {
  /** Default `none`; `tanh` is the approximation that GPT-2 and Vision Transformers of diffusion use. */
  readonly approximate?: "none" | "tanh";
}

/** x * Phi(x) with the normal distribution function Phi (Hendrycks & Gimpel 2016, 1606.08415). Any shape. */
export class GELU extends Module {
  readonly approximate: "none" | "tanh";

  constructor(options: GELUOptions = {}) {
    super();
    checkNames("GELU", options, ["approximate"]);
    const { approximate = "none" } = options;
    this.approximate = approximate;
  }

  forward(x: Tensor): Tensor {
    return this.approximate === "tanh" ? geluTanh(x) : gelu(x);
  }
}
