import { formatShape } from "../tensor/shape.ts";
import { dotGeneral, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Random, fanInUniform } from "./init.ts";
import type { Initializer } from "./init.ts";
import { Module } from "./module/module.ts";
import { requireWhole } from "./validate.ts";
import { checkNames } from "../config/rules.ts";

export const linearOptionNames = ["bias", "weightInit", "biasInit", "random"] as const;

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** How `weight` starts; default uniform in ±1 / sqrt(inFeatures). */
  readonly weightInit?: Initializer;
  /** How `bias` starts; default as `weight`. */
  readonly biasInit?: Initializer;
  readonly random?: Random;
}

/**
 * y = x W^T + b, from [..., inFeatures] to [..., outFeatures].
 *
 * `weight` is [outFeatures, inFeatures], `bias` [outFeatures].
 */
export class Linear extends Module {
  readonly weight: Variable;
  readonly bias: Variable | undefined;

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super();
    checkNames("Linear", options, linearOptionNames);
    requireWhole("Linear", { inFeatures, outFeatures });
    const usual = fanInUniform(inFeatures);
    const { bias = true, weightInit = usual, biasInit = usual, random = new Random() } = options;
    this.weight = weightInit("weight", [outFeatures, inFeatures], random);
    this.bias = bias ? biasInit("bias", [outFeatures], random) : undefined;
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
