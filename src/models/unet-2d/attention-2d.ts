import type { Tensor } from "../../tensor/tensor.ts";
import { mergeHeads, scaledDotProduct } from "../../nn/attention/scaled-dot-product.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import type { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";

export interface Attention2DOptions {
  /** Channels of each head; what is left over of `channels` / `headDim` heads is not used. */
  readonly headDim: number;
  /** Groups of the normalization; null for none. */
  readonly groups: number | null;
  readonly epsilon: number;
  readonly scaleFactor?: number;
  readonly random: Random;
}

/**
 * (attention(norm(x)) + x) / scaleFactor over the pixels of [batch, height, width, channels], with the parameters of
 * diffusers' `Attention`.
 */
export class Attention2D extends Module {
  readonly groupNorm: GroupNorm | undefined;
  readonly toQ: Linear;
  readonly toK: Linear;
  readonly toV: Linear;
  readonly toOut: readonly [Linear];
  readonly heads: number;
  readonly scaleFactor: number;

  constructor(channels: number, { headDim, groups, epsilon, scaleFactor = 1, random }: Attention2DOptions) {
    super();
    this.groupNorm = groups === null ? undefined : new GroupNorm(groups, channels, { epsilon });
    this.heads = Math.floor(channels / headDim);
    const inner = this.heads * headDim;
    this.toQ = new Linear(channels, inner, { random });
    this.toK = new Linear(channels, inner, { random });
    this.toV = new Linear(channels, inner, { random });
    this.toOut = [new Linear(inner, channels, { random })];
    this.scaleFactor = scaleFactor;
  }

  forward(x: Tensor): Tensor {
    const [batch, height, width, channels] = x.shape;
    const normalized = this.groupNorm ? this.groupNorm.forward(x) : x;
    const pixels = normalized.reshape([batch, height * width, channels]);
    const [q, k, v] = [this.toQ, this.toK, this.toV].map((layer) => {
      const y = layer.forward(pixels);
      return y.reshape([batch, height * width, this.heads, y.shape[2] / this.heads]);
    });
    const attended = this.toOut[0].forward(mergeHeads(scaledDotProduct(q, k, v))).reshape(x.shape);
    const sum = attended.add(x);
    return this.scaleFactor === 1 ? sum : sum.divide(this.scaleFactor);
  }
}
