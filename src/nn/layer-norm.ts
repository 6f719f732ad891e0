import { layerNorm } from "../tensor/functions/norm.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { constant } from "./init.ts";
import { Module } from "./module/module.ts";
import { requireWhole } from "./validate.ts";
import { checkNames } from "../config/rules.ts";

export interface LayerNormOptions {
  /** Default 1e-5, as in PyTorch. */
  readonly epsilon?: number;
  /** Whether it has `weight` and `bias`; default true. */
  readonly elementwiseAffine?: boolean;
}

/**
 * Layer normalization (Ba et al. 2016, 1607.06450) of [..., dim] over the last axis:
 * y = (x - mean) / sqrt(var + epsilon) * weight + bias.
 *
 * `weight` starts at 1 and `bias` at 0, both [dim].
 */
export class LayerNorm extends Module {
  readonly weight: Variable | undefined;
  readonly bias: Variable | undefined;
  readonly dim: number;
  readonly epsilon: number;

  constructor(dim: number, options: LayerNormOptions = {}) {
    super();
    checkNames("LayerNorm", options, ["epsilon", "elementwiseAffine"]);
    const { epsilon = 1e-5, elementwiseAffine = true } = options;
    requireWhole("LayerNorm", { dim });
    if (!(epsilon > 0)) throw new Error(`LayerNorm: epsilon must be above 0, got ${epsilon}`);
    this.weight = elementwiseAffine ? constant("weight", [dim], 1) : undefined;
    this.bias = elementwiseAffine ? constant("bias", [dim], 0) : undefined;
    this.dim = dim;
    this.epsilon = epsilon;
  }

  forward(x: Tensor): Tensor {
    const last = x.shape.at(-1);
    if (last !== this.dim) throw new Error(`LayerNorm: input must be [..., ${this.dim}], got [${x.shape.join(",")}]`);
    const { weight, bias, epsilon } = this;
    return layerNorm(x, { weight: weight && valueOf(weight), bias: bias && valueOf(bias), epsilon });
  }
}
