import type { Tensor } from "../../tensor/tensor.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import { zeros } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";
import { PointwiseConv1d } from "../../nn/pointwise-conv1d.ts";
import { mergeHeads, scaledDotProduct } from "../../nn/attention/scaled-dot-product.ts";

export interface AdmAttentionOptions {
  /** Must divide the channels. */
  readonly heads: number;
  readonly normGroups: number;
  readonly useNewAttentionOrder: boolean;
  readonly random: Random;
}

/** x + attention(norm(x)) over the pixels of [batch, height, width, channels]; its projection starts at zero. */
export class AdmAttentionBlock extends Module {
  readonly norm: GroupNorm;
  readonly qkv: PointwiseConv1d;
  readonly projOut: PointwiseConv1d;
  readonly heads: number;
  readonly useNewAttentionOrder: boolean;

  constructor(channels: number, { heads, normGroups, useNewAttentionOrder, random }: AdmAttentionOptions) {
    super();
    this.norm = new GroupNorm(normGroups, channels);
    this.qkv = new PointwiseConv1d(channels, 3 * channels, { random });
    this.projOut = new PointwiseConv1d(channels, channels, { weightInit: zeros, biasInit: zeros, random });
    this.heads = heads;
    this.useNewAttentionOrder = useNewAttentionOrder;
  }

  forward(x: Tensor): Tensor {
    const [batch, height, width, channels] = x.shape;
    const pixels = this.norm.forward(x).reshape([batch, height * width, channels]);
    const [q, k, v] = this.#split(this.qkv.forward(pixels));
    return x.add(this.projOut.forward(mergeHeads(scaledDotProduct(q, k, v))).reshape(x.shape));
  }

  /** [batch, pixels, 3 * channels] to q, k and v, each [batch, pixels, heads, channels / heads]. */
  #split(qkv: Tensor): Tensor[] {
    const [batch, pixels, width] = qkv.shape;
    const dimHead = width / (3 * this.heads);
    const parts = this.useNewAttentionOrder
      ? qkv.chunk(3)
      : qkv.reshape([batch, pixels, this.heads, 3, dimHead]).chunk(3, 3);
    return parts.map((part) => part.reshape([batch, pixels, this.heads, dimHead]));
  }
}
