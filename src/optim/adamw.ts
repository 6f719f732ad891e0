import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Adam } from "./adam.ts";
import type { AdamOptions } from "./adam.ts";
import { requireNotNegative } from "./optimizer.ts";
import { checkOptions } from "../config/rules.ts";

export interface AdamWOptions extends AdamOptions {
  /** Default 0.01. */
  readonly weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2017, 1711.05101, Algorithm 2), as in PyTorch: each step starts
 * from p (1 - learningRate weightDecay), and the moments do not see the decay.
 */
export class AdamW extends Adam {
  readonly weightDecay: number;

  constructor(parameters: readonly Variable[], options: AdamWOptions = {}) {
    const { weightDecay = 0.01, ...ofAdam } = options;
    checkOptions("AdamW", options, { learningRate: "number", betas: "list", epsilon: "number", weightDecay: "number" });
    super(parameters, ofAdam);
    requireNotNegative("AdamW", { weightDecay });
    this.weightDecay = weightDecay;
  }

  protected override kept(parameter: Variable, learningRate: Tensor): Tensor {
    const decay = learningRate.multiply(-this.weightDecay).add(1);
    return valueOf(parameter).multiply(decay);
  }
}
