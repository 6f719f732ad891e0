import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { Module } from "../../nn/module/module.ts";
import { Downsample } from "../../nn/resample.ts";
import type { ResnetBlock } from "../../nn/resnet-block.ts";
import type { Residual, Sequential } from "../../nn/module/sequential.ts";
import { channelConditions } from "./conditions.ts";
import type { UnetLayers } from "./layers.ts";
import type { CompleteUnetOptions } from "./options.ts";
import { requireImages } from "../../nn/validate.ts";

export type Stage<Resample> = readonly [
  block1: ResnetBlock,
  block2: ResnetBlock,
  attention: Residual,
  resample: Resample,
];

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
    const { initDim, channels } = options;
    const { random, stages, deepest } = layers;
    this.initConv = new Conv2d(channels * (1 + channelConditions(options).length), initDim, 1, { random });
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
