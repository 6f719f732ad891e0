import { softmax } from "../tensor/functions.ts";
import { dotGeneral } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Conv2d } from "./conv2d.ts";
import { GroupNorm } from "./group-norm.ts";
import { Random } from "./init.ts";
import { Module } from "./module.ts";
import { Sequential } from "./sequential.ts";
import { requireWhole } from "./validate.ts";

export interface AttentionOptions {
  /** Default 4. */
  readonly heads?: number;
  /** Channels per head; default 32. */
  readonly dimHead?: number;
  readonly random?: Random;
}

/**
 * Multi-head self-attention over the pixels of [batch, height, width, dim] (Vaswani et al. 2017, 1706.03762):
 * softmax(q k^T / sqrt(dimHead)) v per head. Time and memory grow with the square of the number of pixels.
 */
export class Attention extends Module {
  readonly toQkv: Conv2d;
  readonly toOut: Conv2d;
  readonly heads: number;
  readonly dimHead: number;

  constructor(dim: number, { heads = 4, dimHead = 32, random = new Random() }: AttentionOptions = {}) {
    super();
    requireWhole("Attention", { dim, heads, dimHead });
    const hiddenDim = heads * dimHead;
    this.heads = heads;
    this.dimHead = dimHead;
    this.toQkv = new Conv2d(dim, hiddenDim * 3, 1, { bias: false, random });
    this.toOut = new Conv2d(hiddenDim, dim, 1, { random });
  }

  forward(x: Tensor): Tensor {
    const [q, k, v] = splitHeads(this.toQkv.forward(x), this.heads, this.dimHead);
    const similarity = dotGeneral(q.multiply(this.dimHead ** -0.5), k, {
      lhsBatch: [0, 2],
      rhsBatch: [0, 2],
      lhsContract: [3],
      rhsContract: [3],
    });
    const out = dotGeneral(softmax(similarity), v, {
      lhsBatch: [0, 1],
      rhsBatch: [0, 2],
      lhsContract: [3],
      rhsContract: [1],
    });
    return this.toOut.forward(joinHeads(out, x));
  }
}

/**
 * Self-attention whose time and memory grow linearly with the number of pixels (Shen et al. 2018, 1812.01243), on
 * [batch, height, width, dim]. With q normalized over the channels of a head and k over the pixels,
 * context = k^T v [dimHead, dimHead] and the result is q context / sqrt(dimHead). A 1x1 convolution and a group
 * normalization follow.
 */
export class LinearAttention extends Module {
  readonly toQkv: Conv2d;
  readonly toOut: Sequential;
  readonly heads: number;
  readonly dimHead: number;

  constructor(dim: number, { heads = 4, dimHead = 32, random = new Random() }: AttentionOptions = {}) {
    super();
    requireWhole("LinearAttention", { dim, heads, dimHead });
    const hiddenDim = heads * dimHead;
    this.heads = heads;
    this.dimHead = dimHead;
    this.toQkv = new Conv2d(dim, hiddenDim * 3, 1, { bias: false, random });
    this.toOut = new Sequential([new Conv2d(hiddenDim, dim, 1, { random }), new GroupNorm(1, dim)]);
  }

  forward(x: Tensor): Tensor {
    const [q, k, v] = splitHeads(this.toQkv.forward(x), this.heads, this.dimHead);
    // softmax(k)^T v = exp(k)^T v / sum exp(k): the small context is divided, not the k of every pixel.
    const weights = k.subtract(k.max(1, true).stopGradient()).exp();
    const context = dotGeneral(weights, v, { lhsBatch: [0, 2], rhsBatch: [0, 2], lhsContract: [1], rhsContract: [1] });
    const total = weights.sum(1).reshape([...context.shape.slice(0, 3), 1]);
    const scaled = context.divide(total).multiply(this.dimHead ** -0.5);
    const out = dotGeneral(softmax(q), scaled, {
      lhsBatch: [0, 2],
      rhsBatch: [0, 1],
      lhsContract: [3],
      rhsContract: [2],
    });
    return this.toOut.forward(joinHeads(out, x));
  }
}

/** [batch, height, width, 3 * heads * dimHead] to q, k and v, each [batch, pixels, heads, dimHead]. */
function splitHeads(qkv: Tensor, heads: number, dimHead: number): Tensor[] {
  const [batch, height, width] = qkv.shape;
  const parts = qkv.reshape([batch, height * width, 3 * heads * dimHead]).chunk(3, 2);
  return parts.map((part) => part.reshape([batch, height * width, heads, dimHead]));
}

/** [batch, heads, pixels, dimHead] to [batch, height, width, heads * dimHead], with the size of `like`. */
function joinHeads(out: Tensor, like: Tensor): Tensor {
  const [batch, height, width] = like.shape;
  return out.transpose([0, 2, 1, 3]).reshape([batch, height, width, out.shape[1] * out.shape[3]]);
}
