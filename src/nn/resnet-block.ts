import { silu } from "../tensor/functions/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { SiLU } from "./activations.ts";
import { Conv2d, WeightStandardizedConv2d } from "./conv2d.ts";
import type { WeightStandardization } from "./conv2d.ts";
import { Dropout } from "./dropout.ts";
import { GroupNorm } from "./group-norm.ts";
import type { ScaleShift } from "./group-norm.ts";
import { Random } from "./init.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module/module.ts";
import { Sequential } from "./module/sequential.ts";
import { checkNames } from "../config/rules.ts";

const blockOptionNames = ["groups", "weightStandardization", "dropout", "random"] as const;

export interface BlockOptions {
  /** Groups of the normalization; default 8. */
  readonly groups?: number;
  /** Default `standardized`. */
  readonly weightStandardization?: WeightStandardization;
  /** Share of the values that are dropped in training; default 0. */
  readonly dropout?: number;
  readonly random?: Random;
}

/**
 * silu(norm(conv(x)) (scale + 1) + shift): a weight-standardized 3x3 convolution from `dim` to `dimOut` channels,
 * group normalization, the time's scale and shift where given, SiLU, and dropout. Height and width stay.
 */
export class Block extends Module {
  readonly proj: WeightStandardizedConv2d;
  readonly norm: GroupNorm;
  readonly #dropout: Dropout;

  constructor(dim: number, dimOut: number, options: BlockOptions = {}) {
    super();
    checkNames("Block", options, blockOptionNames);
    const { groups = 8, weightStandardization, dropout = 0, random } = options;
    this.proj = new WeightStandardizedConv2d(dim, dimOut, 3, { padding: 1, weightStandardization, random });
    this.norm = new GroupNorm(groups, dimOut);
    this.#dropout = new Dropout(dropout);
  }

  forward(x: Tensor, scaleShift?: ScaleShift): Tensor {
    return this.#dropout.forward(silu(this.norm.forward(this.proj.forward(x), scaleShift)));
  }
}

export interface ResnetBlockOptions extends BlockOptions {
  /** Width of the time embedding; without it the block ignores time. */
  readonly timeEmbeddingDim?: number;
}

/**
 * block2(block1(x, time)) + x (He et al. 2015, 1512.03385), with a 1x1 convolution of x where `dim` differs from
 * `dimOut`; only block1 drops. SiLU and a linear layer turn the time embedding [batch, timeEmbeddingDim] into block1's scale and shift.
 */
export class ResnetBlock extends Module {
  readonly mlp: Sequential | undefined;
  readonly block1: Block;
  readonly block2: Block;
  readonly resConv: Conv2d | undefined;

  constructor(dim: number, dimOut: number, options: ResnetBlockOptions = {}) {
    super();
    checkNames("ResnetBlock", options, [...blockOptionNames, "timeEmbeddingDim"]);
    const { timeEmbeddingDim, random = new Random(), ...ofBlocks } = options;
    const blockOptions = { ...ofBlocks, random };
    this.mlp =
      timeEmbeddingDim === undefined
        ? undefined
        : new Sequential([new SiLU(), new Linear(timeEmbeddingDim, dimOut * 2, { random })]);
    this.block1 = new Block(dim, dimOut, blockOptions);
    this.block2 = new Block(dimOut, dimOut, { ...blockOptions, dropout: 0 });
    this.resConv = dim === dimOut ? undefined : new Conv2d(dim, dimOut, 1, { random });
  }

  forward(x: Tensor, timeEmbedding?: Tensor): Tensor {
    const hidden = this.block2.forward(this.block1.forward(x, this.#scaleShift(timeEmbedding)));
    return hidden.add(this.resConv ? this.resConv.forward(x) : x);
  }

  #scaleShift(timeEmbedding: Tensor | undefined): ScaleShift | undefined {
    if (!this.mlp || !timeEmbedding) return undefined;
    const [scale, shift] = this.mlp.forward(timeEmbedding).chunk(2, 1);
    return { scale, shift };
  }
}
