import { softmax } from "../../tensor/functions/functions.ts";
import { dotGeneral, valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../conv2d.ts";
import { GroupNorm } from "../group-norm.ts";
import { Random } from "../init.ts";
import { Linear } from "../linear.ts";
import { Module } from "../module/module.ts";
import { mergeHeads, scaledDotProduct } from "./scaled-dot-product.ts";
import { Sequential } from "../module/sequential.ts";
import { requireWhole } from "../validate.ts";
import { checkNames } from "../../config/rules.ts";

const attentionOptionNames = ["heads", "dimHead", "random"] as const;

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

  constructor(dim: number, options: AttentionOptions = {}) {
    super();
    checkNames("Attention", options, attentionOptionNames);
    const { heads = 4, dimHead = 32, random = new Random() } = options;
    requireWhole("Attention", { dim, heads, dimHead });
    const hiddenDim = heads * dimHead;
    this.heads = heads;
    this.dimHead = dimHead;
    this.toQkv = new Conv2d(dim, hiddenDim * 3, 1, { bias: false, random });
    this.toOut = new Conv2d(hiddenDim, dim, 1, { random });
  }

  forward(x: Tensor): Tensor {
    const [q, k, v] = splitHeads(this.toQkv.forward(x), this.heads, this.dimHead);
    return this.toOut.forward(joinHeads(scaledDotProduct(q, k, v), x));
  }
}

export interface CrossAttentionOptions extends AttentionOptions {
  /** Channels of the sequence. */
  readonly contextDim: number;
}

/**
 * x + attention(norm(x), context): the pixels of [batch, height, width, dim] look at a sequence [batch, length,
 * contextDim], as in latent diffusion (Rombach et al. 2022, 2112.10752), whose parameters' names these are.
 */
export class CrossAttention extends Module {
  readonly norm: GroupNorm;
  readonly toQ: Linear;
  readonly toK: Linear;
  readonly toV: Linear;
  readonly toOut: Linear;
  readonly heads: number;
  readonly dimHead: number;

  constructor(dim: number, options: CrossAttentionOptions) {
    super();
    checkNames("CrossAttention", options, [...attentionOptionNames, "contextDim"]);
    const { contextDim, heads = 4, dimHead = 32, random = new Random() } = options;
    requireWhole("CrossAttention", { dim, contextDim, heads, dimHead });
    const hiddenDim = heads * dimHead;
    this.heads = heads;
    this.dimHead = dimHead;
    this.norm = new GroupNorm(1, dim);
    this.toQ = new Linear(dim, hiddenDim, { bias: false, random });
    this.toK = new Linear(contextDim, hiddenDim, { bias: false, random });
    this.toV = new Linear(contextDim, hiddenDim, { bias: false, random });
    this.toOut = new Linear(hiddenDim, dim, { random });
  }

  /** @param mask bool [batch, length]: the places to look at, at least one for each image; all without it */
  forward(x: Tensor, context: Tensor, mask?: Tensor): Tensor {
    const byHead = (tokens: Tensor): Tensor => tokens.reshape([x.shape[0], -1, this.heads, this.dimHead]);
    const q = byHead(this.toQ.forward(this.norm.forward(x)));
    const [k, v] = [this.toK, this.toV].map((projection) => byHead(projection.forward(context)));
    return this.toOut.forward(joinHeads(scaledDotProduct(q, k, v, mask), x)).add(x);
  }
}

/**
 * Self-attention whose time and memory grow linearly with the number of pixels (Shen et al. 2018, 1812.01243), on
 * [batch, height, width, dim]. With q normalized over the channels of a head and k over the pixels,
 * context = k^T v [dimHead, dimHead] and the result is q context / sqrt(dimHead). A 1x1 convolution and a group
 * normalization follow.
 *
 * Products are taken in the order that costs least: where there are many pixels, (k^T x) comes before the projections of
 * v and of the result, so that neither exists for every pixel.
 */
export class LinearAttention extends Module {
  readonly toQkv: Conv2d;
  readonly toOut: Sequential;
  readonly heads: number;
  readonly dimHead: number;

  constructor(dim: number, options: AttentionOptions = {}) {
    super();
    checkNames("LinearAttention", options, attentionOptionNames);
    const { heads = 4, dimHead = 32, random = new Random() } = options;
    requireWhole("LinearAttention", { dim, heads, dimHead });
    const hiddenDim = heads * dimHead;
    this.heads = heads;
    this.dimHead = dimHead;
    this.toQkv = new Conv2d(dim, hiddenDim * 3, 1, { bias: false, random });
    this.toOut = new Sequential([new Conv2d(hiddenDim, dim, 1, { random }), new GroupNorm(1, dim)]);
  }

  forward(x: Tensor): Tensor {
    const [, height, width, dim] = x.shape;
    // Each pixel saves a projection to v and one of the result; each image pays for dim x dim per head.
    return height * width >= 2 * dim ? this.#forwardByContext(x) : this.#forwardByPixel(x);
  }

  /** q (exp(k)^T v) / sum exp(k), then the projection of every pixel's result. */
  #forwardByPixel(x: Tensor): Tensor {
    const [q, k, v] = splitHeads(this.toQkv.forward(x), this.heads, this.dimHead);
    const { weights, total } = unnormalizedSoftmax(k);
    const context = dotGeneral(weights, v, { lhsBatch: [0, 2], rhsBatch: [0, 2], lhsContract: [1], rhsContract: [1] });
    const scaled = context.divide(total.reshape([...context.shape.slice(0, 3), 1])).multiply(this.dimHead ** -0.5);
    const out = dotGeneral(softmax(q), scaled, {
      lhsBatch: [0, 2],
      rhsBatch: [0, 1],
      lhsContract: [3],
      rhsContract: [2],
    });
    return this.toOut.forward(joinHeads(out, x));
  }

  /** q ((exp(k)^T x) (Wv Wo)) / sum exp(k): the same by associativity, Wv and Wo being the projections of a head. */
  #forwardByContext(x: Tensor): Tensor {
    const { heads, dimHead } = this;
    const [batch, height, width, dim] = x.shape;
    const hidden = heads * dimHead;
    const pixels = x.reshape([batch, height * width, dim]);
    const [toQ, toK, toV] = valueOf(this.toQkv.weight)
      .reshape([3 * hidden, dim])
      .chunk(3, 0);
    const [projection, norm] = this.toOut.layers as readonly [Conv2d, GroupNorm];

    const q = softmax(linear(pixels, toQ).reshape([batch, height * width, heads, dimHead]));
    const { weights, total } = unnormalizedSoftmax(linear(pixels, toK));
    const context = dotGeneral(weights, pixels, { lhsBatch: [0], rhsBatch: [0], lhsContract: [1], rhsContract: [1] });
    const scaled = context.divide(total.reshape([batch, hidden, 1])).multiply(dimHead ** -0.5);

    // Per head: dim -> dimHead by Wv, dimHead -> dim by Wo.
    const byHead = toV.reshape([heads, dimHead, dim]);
    const toOut = valueOf(projection.weight).reshape([-1, heads, dimHead]);
    const through = dotGeneral(byHead, toOut, { lhsBatch: [0], rhsBatch: [1], lhsContract: [1], rhsContract: [2] });
    const values = dotGeneral(scaled.reshape([batch, heads, dimHead, dim]), through, {
      lhsBatch: [1],
      rhsBatch: [0],
      lhsContract: [3],
      rhsContract: [1],
    });
    const out = q
      .reshape([batch, height * width, hidden])
      .matmul(values.transpose([1, 0, 2, 3]).reshape([batch, hidden, -1]));
    const image = out.reshape([batch, height, width, -1]);
    return norm.forward(projection.bias ? image.add(valueOf(projection.bias)) : image);
  }
}

/** x [batch, pixels, in] by a weight [out, in]. */
function linear(x: Tensor, weight: Tensor): Tensor {
  return dotGeneral(x, weight, { lhsBatch: [], rhsBatch: [], lhsContract: [2], rhsContract: [1] });
}

/** exp(k) and its sum over the pixels, axis 1, where softmax would divide every pixel's k: the small context is divided. */
function unnormalizedSoftmax(k: Tensor): { weights: Tensor; total: Tensor } {
  const weights = k.subtract(k.max(1, true).stopGradient()).exp();
  return { weights, total: weights.sum(1) };
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
  return mergeHeads(out).reshape([batch, height, width, -1]);
}
