import type { Tensor } from "../../tensor/tensor.ts";
import { GELU } from "../../nn/activations.ts";
import { Attention, LinearAttention } from "../../nn/attention.ts";
import type { AttentionOptions } from "../../nn/attention.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { PreNorm } from "../../nn/group-norm.ts";
import { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { SinusoidalPositionEmbeddings } from "../../nn/position-embeddings.ts";
import { Downsample } from "../../nn/resample.ts";
import { ResnetBlock } from "../../nn/resnet-block.ts";
import { Residual, Sequential } from "../../nn/sequential.ts";
import type { CompleteUnetOptions } from "./options.ts";
import { requireImages } from "../../nn/validate.ts";

export type Stage<Resample> = readonly [
  block1: ResnetBlock,
  block2: ResnetBlock,
  attention: Residual,
  resample: Resample,
];

/** Channels of a stage: `wide` at its own resolution, `deep` at the next. */
export interface StageWidths {
  readonly wide: number;
  readonly deep: number;
}

/** Makes the layers of a U-Net with the options and random numbers that they share. */
export class UnetLayers {
  readonly random: Random;
  /** Width of the time embedding. */
  readonly timeDim: number;
  readonly attention: Required<AttentionOptions>;
  /** From the finest resolution. */
  readonly stages: readonly StageWidths[];
  readonly deepest: number;
  readonly #options: CompleteUnetOptions;

  constructor(options: CompleteUnetOptions) {
    const { dim, initDim, dimMults, attentionHeads, attentionDimHead, seed } = options;
    this.#options = options;
    this.random = new Random(seed);
    this.timeDim = dim * 4;
    this.attention = { heads: attentionHeads, dimHead: attentionDimHead, random: this.random };
    const widths = [initDim, ...dimMults.map((mult) => dim * mult)];
    this.stages = dimMults.map((_, i) => ({ wide: widths[i], deep: widths[i + 1] }));
    this.deepest = widths[widths.length - 1];
  }

  block(from: number, to: number): ResnetBlock {
    const { resnetBlockGroups: groups, weightStandardization } = this.#options;
    return new ResnetBlock(from, to, {
      timeEmbeddingDim: this.timeDim,
      groups,
      weightStandardization,
      random: this.random,
    });
  }

  /** From timesteps [batch] to [batch, timeDim]. */
  timeMlp(): Sequential {
    const { timeDim, random } = this;
    const { dim } = this.#options;
    return new Sequential([
      new SinusoidalPositionEmbeddings(dim),
      new Linear(dim, timeDim, { random }),
      new GELU(),
      new Linear(timeDim, timeDim, { random }),
    ]);
  }

  linearAttention(width: number): Residual {
    return new Residual(new PreNorm(width, new LinearAttention(width, this.attention)));
  }

  fullAttention(width: number): Residual {
    return new Residual(new PreNorm(width, new Attention(width, this.attention)));
  }
}

/** What an encoder makes of images. */
export interface Encoded {
  /** The output of the middle, [batch, height / 2^n, width / 2^n, deepest]. */
  readonly deepest: Tensor;
  /** The output of the first convolution. */
  readonly first: Tensor;
  /** Two outputs of each stage, from the finest. */
  readonly skips: readonly Tensor[];
}

/** The half of a U-Net that takes images apart, and its middle; a classifier has no more than this and a head. */
export abstract class UnetEncoder extends Module {
  readonly options: CompleteUnetOptions;
  readonly initConv: Conv2d;
  readonly timeMlp: Sequential;
  readonly downs: readonly Stage<Downsample | Conv2d>[];
  readonly midBlock1: ResnetBlock;
  readonly midAttn: Residual;
  readonly midBlock2: ResnetBlock;

  constructor(options: CompleteUnetOptions, layers: UnetLayers) {
    super();
    this.options = options;
    const { initDim, channels, selfCondition, lowresCond } = options;
    const { random, stages, deepest } = layers;
    this.initConv = new Conv2d(channels * (1 + Number(selfCondition) + Number(lowresCond)), initDim, 1, { random });
    this.timeMlp = layers.timeMlp();
    this.downs = stages.map(({ wide, deep }, i) => [
      layers.block(wide, wide),
      layers.block(wide, wide),
      layers.linearAttention(wide),
      i < stages.length - 1
        ? new Downsample(wide, deep, { random })
        : new Conv2d(wide, deep, 3, { padding: 1, random }),
    ]);
    this.midBlock1 = layers.block(deepest, deepest);
    this.midAttn = layers.fullAttention(deepest);
    this.midBlock2 = layers.block(deepest, deepest);
  }

  get channels(): number {
    return this.options.channels;
  }

  /** Whether it takes an estimate of the clean images. */
  get selfCondition(): boolean {
    return this.options.selfCondition;
  }

  /** Whether it also takes the images in less resolution. */
  get lowresCond(): boolean {
    return this.options.lowresCond;
  }

  /** Number of classes that it knows, 0 if none. */
  get numClasses(): number {
    return this.options.numClasses;
  }

  /**
   * @param x what the first convolution takes
   * @param embedding [batch, 4 dim]
   * @param look follows the attention of each stage, and of the middle, by its place from 0
   */
  protected encode(x: Tensor, embedding: Tensor, look = (y: Tensor, _place: number): Tensor => y): Encoded {
    const first = this.initConv.forward(x);
    const skips: Tensor[] = [];
    let y = first;
    for (const [place, [block1, block2, attention, downsample]] of this.downs.entries()) {
      y = block1.forward(y, embedding);
      skips.push(y);
      y = look(attention.forward(block2.forward(y, embedding)), place);
      skips.push(y);
      y = downsample.forward(y);
    }
    y = this.midBlock1.forward(y, embedding);
    y = look(this.midAttn.forward(y), this.downs.length);
    return { deepest: this.midBlock2.forward(y, embedding), first, skips };
  }

  /** @throws unless these are images that halve as often as needed, with a timestep for each */
  protected checkImages(layer: string, x: Tensor, time: Tensor): void {
    requireImages(layer, x, this.channels);
    const [batch, height, width] = x.shape;
    const divisor = 2 ** (this.options.dimMults.length - 1);
    if (height === 0 || width === 0 || height % divisor !== 0 || width % divisor !== 0) {
      throw new Error(
        `${layer}: height and width must be divisible by ${divisor} with ${this.options.dimMults.length} resolutions, got ${height} x ${width}`,
      );
    }
    if (time.rank !== 1 || time.shape[0] !== batch) {
      throw new Error(
        `${layer}: time must hold one timestep for each of ${batch} images, got [${time.shape.join(",")}]`,
      );
    }
  }
}
