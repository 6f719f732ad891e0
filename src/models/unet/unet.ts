import { concatenate, full } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { CrossAttention } from "../../nn/attention.ts";
import { ClassEmbedding, VectorEmbedding, contextTokens } from "../condition-embedding.ts";
import { checkConditions } from "../conditions.ts";
import type { ConditionDeclarations, Conditions } from "../conditions.ts";
import { unetConditions } from "./conditions.ts";
import type { DiffusionModel } from "../model.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { standardNormal } from "../../nn/init.ts";
import type { Module } from "../../nn/module.ts";
import { Upsample } from "../../nn/resample.ts";
import type { ResnetBlock } from "../../nn/resnet-block.ts";
import { UnetEncoder, UnetLayers } from "./encoder.ts";
import type { Sequential } from "../../nn/sequential.ts";
import type { Stage } from "./encoder.ts";
import { completeUnetOptions } from "./options.ts";
import type { UnetOptions } from "./options.ts";

/**
 * The U-Net of "The Annotated Diffusion Model" and, before it, denoising-diffusion-pytorch: Ronneberger et al. (2015,
 * 1505.04597) with ResNet blocks that know the time, and attention after each pair of them.
 *
 * Images are [batch, height, width, channels] of any height and width divisible by 2^(dimMults.length - 1). Parameters
 * have the names and shapes of those authors' PyTorch code.
 *
 * @example
 * const model = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
 */
export class Unet extends UnetEncoder implements DiffusionModel {
  readonly ups: readonly Stage<Upsample | Conv2d>[];
  readonly finalResBlock: ResnetBlock;
  readonly finalConv: Conv2d;
  readonly classEmbedding: ClassEmbedding | undefined;
  readonly vectorEmbedding: VectorEmbedding | undefined;
  readonly nullContext: Variable | undefined;
  /** What the noise of images in less resolution adds to the time embedding. */
  readonly lowresTimeMlp: Sequential | undefined;
  /** After the attention of each of `downs`, the middle and each of `ups`; none without contexts. */
  readonly crossAttns: readonly CrossAttention[] = [];

  constructor(options: UnetOptions) {
    const complete = completeUnetOptions("Unet", options);
    const layers = new UnetLayers(complete);
    super(complete, layers);
    const { dim, initDim, outDim, numClasses, vectorDim, contextDim } = complete;
    const { random, timeDim, attention, deepest } = layers;
    const [stages, upwards] = [layers.stages, layers.stages.toReversed()];
    this.ups = upwards.map(({ wide, deep }, i) => [
      layers.block(deep + wide, deep),
      layers.block(deep + wide, deep),
      layers.linearAttention(deep),
      i < upwards.length - 1 ? new Upsample(deep, wide, { random }) : new Conv2d(deep, wide, 3, { padding: 1, random }),
    ]);
    // The last stage and the first convolution meet here, each initDim wide; PyTorch's original assumes dim.
    this.finalResBlock = layers.block(initDim * 2, dim);
    this.finalConv = new Conv2d(dim, outDim, 1, { random });
    if (numClasses > 0) this.classEmbedding = new ClassEmbedding(numClasses, dim, timeDim, random);
    if (vectorDim > 0) this.vectorEmbedding = new VectorEmbedding(vectorDim, timeDim, random);
    if (contextDim > 0) {
      const widths = [...stages.map(({ wide }) => wide), deepest, ...upwards.map(({ deep }) => deep)];
      this.nullContext = standardNormal("nullContext", [contextDim], random);
      this.crossAttns = widths.map((width) => new CrossAttention(width, { ...attention, contextDim }));
    }
    if (complete.lowresCond) this.lowresTimeMlp = layers.timeMlp();
    this.labelParameters();
  }

  get architecture(): string {
    return "unet";
  }

  get predicts(): "images" {
    return "images";
  }

  get conditions(): ConditionDeclarations {
    return unetConditions(this.options);
  }

  /** Length of the vectors that it takes, 0 if none. */
  get vectorDim(): number {
    return this.options.vectorDim;
  }

  /** Channels of the sequences that it takes, 0 if none. */
  get contextDim(): number {
    return this.options.contextDim;
  }

  /** The parts of embeddings count as the model's own, as in denoising-diffusion-pytorch: `classes_mlp.0.weight`. */
  override parts(): [string, unknown][] {
    const isEmbedding = (part: unknown): part is Module =>
      part instanceof ClassEmbedding || part instanceof VectorEmbedding;
    return super.parts().flatMap(([name, part]) => (isEmbedding(part) ? part.parts() : [[name, part]]));
  }

  /**
   * @param x noisy images [batch, height, width, channels], usually about [-1, 1] plus noise
   * @param time timesteps [batch], i32 or f32
   * @param conditions the model must have been made for those that are given
   * @returns [batch, height, width, outDim]
   */
  forward(x: Tensor, time: Tensor, conditions: Conditions = {}): Tensor {
    this.checkImages("Unet", x, time);
    checkConditions("Unet", conditions, x, this.options);
    const given = [
      ...(this.selfCondition ? [conditions.selfCondition ?? full(x.shape, 0)] : []),
      x,
      ...(this.lowresCond ? [conditions.lowresCondImg ?? full(x.shape, 0)] : []),
    ];
    const embedding = this.#embed(time, conditions);
    const context = this.nullContext && contextTokens(this.nullContext, conditions, x.shape[0]);
    const look = (y: Tensor, place: number): Tensor =>
      context ? this.crossAttns[place].forward(y, context.tokens, context.mask) : y;

    const encoded = this.encode(given.length > 1 ? concatenate(given, 3) : x, embedding, look);
    const skips = [...encoded.skips];
    const withSkip = (t: Tensor): Tensor => concatenate([t, ...skips.splice(-1)], 3);
    let y = encoded.deepest;
    for (const [i, [block1, block2, attention, upsample]] of this.ups.entries()) {
      y = block1.forward(withSkip(y), embedding);
      y = block2.forward(withSkip(y), embedding);
      y = upsample.forward(look(attention.forward(y), this.downs.length + 1 + i));
    }
    return this.finalConv.forward(this.finalResBlock.forward(concatenate([y, encoded.first], 3), embedding));
  }

  /** A model with the same options and a copy of the weights, such as an average starts from. */
  async clone(): Promise<Unet> {
    const copy = new Unet(this.options);
    await copy.loadStateDict(await this.stateDict());
    return copy;
  }

  /** [batch, 4 dim] */
  #embed(time: Tensor, conditions: Conditions): Tensor {
    let embedding = this.timeMlp.forward(time);
    if (this.lowresTimeMlp && conditions.lowresNoiseTimes) {
      embedding = embedding.add(this.lowresTimeMlp.forward(conditions.lowresNoiseTimes));
    }
    if (this.classEmbedding) embedding = embedding.add(this.classEmbedding.forward(conditions));
    if (this.vectorEmbedding) embedding = embedding.add(this.vectorEmbedding.forward(conditions));
    return embedding;
  }
}
