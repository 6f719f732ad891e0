import { concatenate } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";
import { Attention2D } from "./attention-2d.ts";
import { timeEmbeddingWidth } from "./options.ts";
import type { CompleteUNet2DModelOptions } from "./options.ts";
import { Downsample2D, Upsample2D } from "./resample-2d.ts";
import type { Resampling } from "./resample-2d.ts";
import { ResnetBlock2D } from "./resnet-block-2d.ts";

/** Makes the layers of a network's blocks. */
export class BlockLayers {
  readonly options: CompleteUNet2DModelOptions;
  readonly random: Random;

  constructor(options: CompleteUNet2DModelOptions, random: Random) {
    this.options = options;
    this.random = random;
  }

  resnet(channels: number, outChannels: number, change: Resampling = "same", scaleFactor = 1): ResnetBlock2D {
    const { normNumGroups, normEps, actFn, resnetTimeScaleShift, dropout } = this.options;
    const layerOptions = {
      embeddingDim: timeEmbeddingWidth(this.options),
      groups: normNumGroups,
      epsilon: normEps,
      actFn,
      timeScaleShift: resnetTimeScaleShift,
      dropout,
      scaleFactor,
      random: this.random,
    };
    return new ResnetBlock2D(channels, outChannels, layerOptions, change);
  }

  attention(channels: number, groups: number | null = this.options.normNumGroups, scaleFactor = 1): Attention2D {
    const { attentionHeadDim, normEps } = this.options;
    const headDim = attentionHeadDim ?? channels;
    return new Attention2D(channels, { headDim, groups, epsilon: normEps, scaleFactor, random: this.random });
  }
}

/** Residual blocks of one resolution, each with attention in some types of blocks. */
abstract class ResolutionBlock extends Module {
  // In the order in which diffusers has them.
  readonly attentions: readonly Attention2D[];
  readonly resnets: readonly ResnetBlock2D[];

  constructor(resnets: readonly ResnetBlock2D[], attentions: readonly Attention2D[]) {
    super();
    this.resnets = resnets;
    this.attentions = attentions;
  }

  /** Its i-th residual block, and the attention that follows it. */
  protected layer(i: number, x: Tensor, embedding: Tensor): Tensor {
    const y = this.resnets[i].forward(x, embedding);
    return i < this.attentions.length ? this.attentions[i].forward(y) : y;
  }
}

export interface DownBlockPlace {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Whether it is the coarsest resolution, which is not halved. */
  readonly isLast: boolean;
}

/** A block of the way down. */
export class DownBlock extends ResolutionBlock {
  readonly downsamplers: readonly (Downsample2D | ResnetBlock2D)[];

  constructor(
    type: CompleteUNet2DModelOptions["downBlockTypes"][number],
    { inChannels, outChannels, isLast }: DownBlockPlace,
    layers: BlockLayers,
  ) {
    const { layersPerBlock, downsampleType, downsamplePadding } = layers.options;
    const isLooking = type === "AttnDownBlock2D";
    const places = Array.from({ length: layersPerBlock }, (_, i) => (i === 0 ? inChannels : outChannels));
    super(
      places.map((channels) => layers.resnet(channels, outChannels)),
      isLooking ? places.map(() => layers.attention(outChannels)) : [],
    );
    const isByResnet = type === "ResnetDownsampleBlock2D" || (isLooking && downsampleType === "resnet");
    const downsampler = (): Downsample2D | ResnetBlock2D =>
      isByResnet
        ? layers.resnet(outChannels, outChannels, "down")
        : new Downsample2D(outChannels, downsamplePadding, layers.random);
    this.downsamplers = isLast ? [] : [downsampler()];
  }

  /** @param skips takes the images after each layer, which the way up meets again */
  forward(x: Tensor, embedding: Tensor, skips: Tensor[]): Tensor {
    let y = x;
    for (const i of this.resnets.keys()) {
      y = this.layer(i, y, embedding);
      skips.push(y);
    }
    for (const downsampler of this.downsamplers) {
      y = downsampler.forward(y, embedding);
      skips.push(y);
    }
    return y;
  }
}

/** The block between the ways down and up: attention between two residual blocks, if there is attention. */
export class MidBlock extends ResolutionBlock {
  constructor(channels: number, layers: BlockLayers) {
    const { midBlockScaleFactor, addAttention, attnNormNumGroups, normNumGroups, resnetTimeScaleShift } =
      layers.options;
    const groups = attnNormNumGroups ?? (resnetTimeScaleShift === "default" ? normNumGroups : null);
    super(
      [0, 1].map(() => layers.resnet(channels, channels, "same", midBlockScaleFactor)),
      addAttention ? [layers.attention(channels, groups, midBlockScaleFactor)] : [],
    );
  }

  forward(x: Tensor, embedding: Tensor): Tensor {
    return this.layer(1, this.layer(0, x, embedding), embedding);
  }
}

export interface UpBlockPlace {
  /** Channels of the block below. */
  readonly belowChannels: number;
  readonly outChannels: number;
  /** Channels of the block on the way down that feeds this resolution. */
  readonly finerChannels: number;
  /** Whether it is the finest resolution, which is not doubled. */
  readonly isLast: boolean;
}

/** A block of the way up, each of whose residual blocks also meets images of the way down. */
export class UpBlock extends ResolutionBlock {
  readonly upsamplers: readonly (Upsample2D | ResnetBlock2D)[];

  constructor(
    type: CompleteUNet2DModelOptions["upBlockTypes"][number],
    { belowChannels, outChannels, finerChannels, isLast }: UpBlockPlace,
    layers: BlockLayers,
  ) {
    const { layersPerBlock, upsampleType } = layers.options;
    const isLooking = type === "AttnUpBlock2D";
    const places = Array.from({ length: layersPerBlock + 1 }, (_, i) => {
      const skipChannels = i === layersPerBlock ? finerChannels : outChannels;
      return (i === 0 ? belowChannels : outChannels) + skipChannels;
    });
    super(
      places.map((channels) => layers.resnet(channels, outChannels)),
      isLooking ? places.map(() => layers.attention(outChannels)) : [],
    );
    const isByResnet = type === "ResnetUpsampleBlock2D" || (isLooking && upsampleType === "resnet");
    const upsampler = (): Upsample2D | ResnetBlock2D =>
      isByResnet ? layers.resnet(outChannels, outChannels, "up") : new Upsample2D(outChannels, layers.random);
    this.upsamplers = isLast ? [] : [upsampler()];
  }

  /** @param skips of the way down; the last are taken away */
  forward(x: Tensor, embedding: Tensor, skips: Tensor[]): Tensor {
    let y = x;
    for (const i of this.resnets.keys()) y = this.layer(i, concatenate([y, ...skips.splice(-1)], 3), embedding);
    for (const upsampler of this.upsamplers) y = upsampler.forward(y, embedding);
    return y;
  }
}
