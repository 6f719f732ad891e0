import { formatShape } from "../tensor/shape.ts";
import { dotGeneral, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Random, fanInUniform } from "./init.ts";
import { Module } from "./module/module.ts";
import { linearOptionNames } from "./linear.ts";
import type { LinearOptions } from "./linear.ts";
import { requireWhole } from "./validate.ts";
import { checkNames } from "../config/rules.ts";

/**
 * PyTorch's `Conv1d` with a kernel of one: a linear layer from tokens [..., inChannels] to [..., outChannels].
 *
 * `weight` is [outChannels, inChannels, 1], `bias` [outChannels].
 */
export class PointwiseConv1d extends Module {
  readonly weight: Variable;
  readonly bias: Variable | undefined;

  constructor(inChannels: number, outChannels: number, options: LinearOptions = {}) {
    super();
    checkNames("PointwiseConv1d", options, linearOptionNames);
    requireWhole("PointwiseConv1d", { inChannels, outChannels });
    const usual = fanInUniform(inChannels);
    const { bias = true, weightInit = usual, biasInit = usual, random = new Random() } = options;
    this.weight = weightInit("weight", [outChannels, inChannels, 1], random);
    this.bias = bias ? biasInit("bias", [outChannels], random) : undefined;
  }

  forward(x: Tensor): Tensor {
    const [outChannels, inChannels] = this.weight.shape;
    const last = x.rank - 1;
    if (x.shape[last] !== inChannels) {
      throw new Error(`PointwiseConv1d: input must be [..., ${inChannels}], got ${formatShape(x.shape)}`);
    }
    const weight = valueOf(this.weight).reshape([outChannels, inChannels]);
    const y = dotGeneral(x, weight, { lhsBatch: [], rhsBatch: [], lhsContract: [last], rhsContract: [1] });
    return this.bias ? y.add(valueOf(this.bias)) : y;
  }
}
