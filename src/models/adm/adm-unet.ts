import { concatenate } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { SiLU } from "../../nn/activations.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { Embedding } from "../../nn/embedding.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import { Random, zeros } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { timestepEmbedding } from "../../nn/position-embeddings.ts";
import { Sequential } from "../../nn/module/sequential.ts";
import { requireImages } from "../../nn/validate.ts";
import { classCondition } from "../conditions/classes.ts";
import { checkConditions } from "../conditions/declaration.ts";
import type { ConditionDeclarations, Conditions } from "../conditions/declaration.ts";
import { classRows } from "../conditions/class-rows.ts";
import type { DiffusionModel } from "../model.ts";
import { AdmAttentionBlock } from "./attention-block.ts";
import { completeAdmUnetOptions, widthOf } from "./options.ts";
import type { AdmUnetOptions, CompleteAdmUnetOptions } from "./options.ts";
import { AdmResBlock } from "./res-block.ts";
import type { Resampling } from "./res-block.ts";
import { AdmDownsample, AdmUpsample } from "./resample.ts";

/** Layers one after the other; residual blocks are also told the time. */
type Block = readonly (Conv2d | AdmResBlock | AdmAttentionBlock | AdmDownsample | AdmUpsample)[];

/**
 * The U-Net of ADM (Dhariwal & Nichol 2021, "Diffusion models beat GANs on image synthesis", 2105.05233), with names and
 * layouts of guided-diffusion's checkpoints.
 *
 * Images are [batch, height, width, channels] of any height and width divisible by 2^(channelMult.length - 1).
 *
 * @example
 * const model = new AdmUnet({ numChannels: 64, channelMult: [1, 2, 3], numClasses: 10 });
 */
export class AdmUnet extends Module implements DiffusionModel {
  readonly options: CompleteAdmUnetOptions;
  readonly timeEmbed: Sequential;
  readonly labelEmb: Embedding | undefined;
  readonly inputBlocks: readonly Block[];
  readonly middleBlock: Block;
  readonly outputBlocks: readonly Block[];
  readonly out: readonly [GroupNorm, SiLU, Conv2d];

  constructor(options: AdmUnetOptions) {
    super();
    const complete = completeAdmUnetOptions(options);
    this.options = complete;
    const { numChannels, outDim, numClasses, nullClass, normGroups } = complete;
    const random = new Random(complete.seed);
    const embeddingDim = 4 * numChannels;
    this.timeEmbed = new Sequential([
      new Linear(numChannels, embeddingDim, { random }),
      new SiLU(),
      new Linear(embeddingDim, embeddingDim, { random }),
    ]);
    if (numClasses > 0) this.labelEmb = new Embedding(numClasses + Number(nullClass), embeddingDim, { random });
    const { input, middle, output, width } = blocksOf(complete, random);
    this.inputBlocks = input;
    this.middleBlock = middle;
    this.outputBlocks = output;
    this.out = [
      new GroupNorm(normGroups, width),
      new SiLU(),
      new Conv2d(width, outDim, 3, { padding: 1, weightInit: zeros, biasInit: zeros, random }),
    ];
    this.labelParameters();
  }

  get architecture(): string {
    return "adm";
  }

  get predicts(): "images" {
    return "images";
  }

  get conditions(): ConditionDeclarations {
    const { numClasses, nullClass } = this.options;
    return numClasses === 0 ? {} : classCondition(numClasses, nullClass);
  }

  get channels(): number {
    return this.options.channels;
  }

  /** Number of classes that it knows, 0 if none. */
  get numClasses(): number {
    return this.options.numClasses;
  }

  /**
   * @param x noisy images [batch, height, width, channels]
   * @param time timesteps [batch], i32 or f32
   * @returns [batch, height, width, outDim]
   */
  forward(x: Tensor, time: Tensor, conditions: Conditions = {}): Tensor {
    this.#check(x, time, conditions);
    const embedding = this.#embed(time, conditions);
    const skips: Tensor[] = [];
    let h = x;
    for (const block of this.inputBlocks) {
      h = through(block, h, embedding);
      skips.push(h);
    }
    h = through(this.middleBlock, h, embedding);
    for (const block of this.outputBlocks) h = through(block, concatenate([h, ...skips.splice(-1)], 3), embedding);
    return this.out.reduce((y: Tensor, layer) => layer.forward(y), h);
  }

  /** [batch, 4 numChannels] */
  #embed(time: Tensor, conditions: Conditions): Tensor {
    const { numChannels, numClasses } = this.options;
    const embedding = this.timeEmbed.forward(timestepEmbedding(time, numChannels));
    return this.labelEmb ? embedding.add(classRows("AdmUnet", this.labelEmb, numClasses, conditions)) : embedding;
  }

  #check(x: Tensor, time: Tensor, conditions: Conditions): void {
    const { channels, channelMult } = this.options;
    requireImages("AdmUnet", x, channels);
    const [batch, height, width] = x.shape;
    const divisor = 2 ** (channelMult.length - 1);
    if (height === 0 || width === 0 || height % divisor !== 0 || width % divisor !== 0) {
      const sizes = `height and width must be divisible by ${divisor} with ${channelMult.length} resolutions`;
      throw new Error(`AdmUnet: ${sizes}, got ${height} x ${width}`);
    }
    if (time.rank !== 1 || time.shape[0] !== batch) {
      const got = `[${time.shape.join(",")}]`;
      throw new Error(`AdmUnet: time must hold one timestep for each of ${batch} images, got ${got}`);
    }
    checkConditions("AdmUnet", this.conditions, conditions, x.shape);
  }
}

function through(block: Block, x: Tensor, embedding: Tensor): Tensor {
  return block.reduce((y, layer) => (layer instanceof AdmResBlock ? layer.forward(y, embedding) : layer.forward(y)), x);
}

interface Blocks {
  readonly input: readonly Block[];
  readonly middle: Block;
  readonly output: readonly Block[];
  /** Channels after the last of them. */
  readonly width: number;
}

function blocksOf(options: CompleteAdmUnetOptions, random: Random): Blocks {
  const { numChannels, channels, numResBlocks, channelMult, attentionResolutions, normGroups } = options;
  const { useScaleShiftNorm, dropout, resblockUpdown, convResample, useNewAttentionOrder } = options;
  const widths = channelMult.map((mult) => widthOf(numChannels, mult));
  const blockOptions = { embeddingDim: 4 * numChannels, normGroups, useScaleShiftNorm, dropout, random };
  const residual = (from: number, to: number, change?: Resampling): AdmResBlock =>
    new AdmResBlock(from, to, blockOptions, change);
  const attention = (width: number, numHeads: number | undefined): AdmAttentionBlock =>
    new AdmAttentionBlock(width, {
      heads: headsOf(width, numHeads, options),
      normGroups,
      useNewAttentionOrder,
      random,
    });
  const attentionAt = (level: number, width: number, numHeads: number | undefined): AdmAttentionBlock[] =>
    attentionResolutions.includes(2 ** level) ? [attention(width, numHeads)] : [];

  let width = widths[0];
  const skips = [width];
  const input: Block[] = [[new Conv2d(channels, width, 3, { padding: 1, random })]];
  const addInput = (block: Block): void => {
    input.push(block);
    skips.push(width);
  };
  for (const [level, wide] of widths.entries()) {
    for (let i = 0; i < numResBlocks; i++) {
      const block = residual(width, wide);
      width = wide;
      addInput([block, ...attentionAt(level, width, options.numHeads)]);
    }
    if (level === widths.length - 1) continue;
    addInput([resblockUpdown ? residual(width, width, "down") : new AdmDownsample(width, convResample, random)]);
  }

  const middle = [residual(width, width), attention(width, options.numHeads), residual(width, width)];

  const output: Block[] = [];
  for (const [level, wide] of [...widths.entries()].toReversed()) {
    for (let i = 0; i <= numResBlocks; i++) {
      const block = residual(width + (skips.pop() ?? 0), wide);
      width = wide;
      const layers = [block, ...attentionAt(level, width, options.numHeadsUpsample ?? options.numHeads)];
      const isLast = i === numResBlocks && level > 0;
      const up = (): AdmResBlock | AdmUpsample =>
        resblockUpdown ? residual(width, width, "up") : new AdmUpsample(width, convResample, random);
      output.push(isLast ? [...layers, up()] : layers);
    }
  }
  return { input, middle, output, width };
}

function headsOf(width: number, numHeads: number | undefined, { numHeadChannels }: CompleteAdmUnetOptions): number {
  const [name, divisor] =
    numHeadChannels === undefined ? ["numHeads", numHeads ?? 1] : ["numHeadChannels", numHeadChannels];
  if (width % divisor !== 0) {
    throw new Error(`AdmUnet: channels of attention must be divisible by ${name}, got ${width} and ${divisor}`);
  }
  return numHeadChannels === undefined ? divisor : width / divisor;
}
