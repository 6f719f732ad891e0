import { groupNorm } from "../tensor/functions/norm.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { constant } from "./init.ts";
import { Module } from "./module/module.ts";
import type { Layer } from "./module/module.ts";
import { requireImages, requireWhole } from "./validate.ts";

/** What a time embedding asks of a normalization: y -> y (scale + 1) + shift, each [batch, channels]. */
export interface ScaleShift {
  readonly scale: Tensor;
  readonly shift: Tensor;
}

/**
 * Group normalization (Wu & He 2018, 1803.08494) of [batch, height, width, channels]: each image's channels in
 * `groups` equal groups, y = (x - mean) / sqrt(var + epsilon) * weight + bias, with mean and variance over the
 * group's channels and pixels.
 *
 * `weight` starts at 1 and `bias` at 0, both [channels]. Epsilon is 1e-5 by default, as in PyTorch.
 */
export class GroupNorm extends Module {
  readonly weight: Variable;
  readonly bias: Variable;
  readonly groups: number;
  readonly epsilon: number;

  constructor(groups: number, channels: number, { epsilon = 1e-5 }: { readonly epsilon?: number } = {}) {
    super();
    requireWhole("GroupNorm", { groups, channels });
    if (channels % groups !== 0) {
      throw new Error(`GroupNorm: channels must be divisible by groups, got ${channels} and ${groups}`);
    }
    if (!(epsilon > 0)) throw new Error(`GroupNorm: epsilon must be above 0, got ${epsilon}`);
    this.weight = constant("weight", [channels], 1);
    this.bias = constant("bias", [channels], 0);
    this.groups = groups;
    this.epsilon = epsilon;
  }

  forward(x: Tensor, scaleShift?: ScaleShift): Tensor {
    requireImages("GroupNorm", x, this.weight.size);
    const { groups, epsilon } = this;
    const weight = valueOf(this.weight);
    const bias = valueOf(this.bias);
    if (!scaleShift) return groupNorm(x, { groups, weight, bias, epsilon });
    // (n w + b)(s + 1) + t = n (w (s + 1)) + (b (s + 1) + t): the image sees one multiply-add, not two.
    const scale = scaleShift.scale.add(1);
    return groupNorm(x, {
      groups,
      weight: scale.multiply(weight),
      bias: scale.multiply(bias).add(scaleShift.shift),
      epsilon,
    });
  }
}

/** fn(norm(x)) with one group over all `dim` channels: attention sees normalized images. */
export class PreNorm extends Module {
  readonly fn: Layer;
  readonly norm: GroupNorm;

  constructor(dim: number, fn: Layer) {
    super();
    this.fn = fn;
    this.norm = new GroupNorm(1, dim);
  }

  forward(x: Tensor): Tensor {
    return this.fn.forward(this.norm.forward(x));
  }
}
