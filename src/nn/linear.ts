import { formatShape } from "../tensor/shape.ts";
import { dotGeneral, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Random, fanInUniform } from "./init.ts";
import { Module } from "./module.ts";
import { requireWhole } from "./validate.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  readonly random?: Random;
}

/**
 * y = x W^T + b, from [..., inFeatures] to [..., outFeatures].
 *
 * `weight` is [outFeatures, inFeatures], `bias` [outFeatures]; both start uniform in ±1 / sqrt(inFeatures).
 */
export class Linear extends Module {
  readonly weight: Variable;
  readonly bias: Variable | undefined;

  constructor(inFeatures: number, outFeatures: number, { bias = true, random = new Random() }: LinearOptions = {}) {
    super();
    requireWhole("Linear", { inFeatures, outFeatures });
    this.weight = fanInUniform("weight", [outFeatures, inFeatures], inFeatures, random);
    this.bias = bias ? fanInUniform("bias", [outFeatures], inFeatures, random) : undefined;
  }

  forward(x: Tensor): Tensor {
    const last = x.rank - 1;
    if (x.shape[last] !== this.weight.shape[1]) {
      throw new Error(`Linear: input must be [..., ${this.weight.shape[1]}], got ${formatShape(x.shape)}`);
    }
    const y = dotGeneral(x, valueOf(this.weight), {
      lhsBatch: [],
      rhsBatch: [],
      lhsContract: [last],
      rhsContract: [1],
    });
    return this.bias ? y.add(valueOf(this.bias)) : y;
  }
}
