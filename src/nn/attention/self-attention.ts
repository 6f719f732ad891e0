import type { Tensor } from "../../tensor/tensor.ts";
import { Random } from "../init.ts";
import type { Initializer } from "../init.ts";
import { Linear } from "../linear.ts";
import { Module } from "../module/module.ts";
import { mergeHeads, scaledDotProduct } from "./scaled-dot-product.ts";
import { requireTokens, requireWhole } from "../validate.ts";
import { checkNames } from "../../config/rules.ts";

export interface SelfAttentionOptions {
  /** Must divide `dim`; default 8. */
  readonly heads?: number;
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
  readonly random?: Random;
}

/**
 * Multi-head self-attention over tokens [batch, length, dim], of a Vision Transformer (Dosovitskiy et al. 2020,
 * 2010.11929): every head has dim / heads channels. The parameters have the names of timm's `Attention`; the output
 * channels of `qkv` are q, k and v in turn, and head by head within each.
 */
export class SelfAttention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly heads: number;
  readonly dim: number;

  constructor(dim: number, options: SelfAttentionOptions = {}) {
    super();
    checkNames("SelfAttention", options, ["heads", "weightInit", "biasInit", "random"]);
    const { heads = 8, random = new Random(), ...inits } = options;
    requireWhole("SelfAttention", { dim, heads });
    if (dim % heads !== 0) throw new Error(`SelfAttention: dim must be divisible by heads, got ${dim} and ${heads}`);
    this.heads = heads;
    this.dim = dim;
    this.qkv = new Linear(dim, 3 * dim, { ...inits, random });
    this.proj = new Linear(dim, dim, { ...inits, random });
  }

  forward(x: Tensor): Tensor {
    requireTokens("SelfAttention", x, this.dim);
    const [batch, length, dim] = x.shape;
    const parts = this.qkv.forward(x).chunk(3);
    const [q, k, v] = parts.map((part) => part.reshape([batch, length, this.heads, dim / this.heads]));
    return this.proj.forward(mergeHeads(scaledDotProduct(q, k, v)));
  }
}
