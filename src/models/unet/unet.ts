import { concatenate, full } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { CrossAttention } from "../../nn/attention/attention.ts";
import { contextTokens } from "../conditions/context.ts";
import { checkConditions } from "../conditions/declaration.ts";
import type { ConditionDeclarations, Conditions } from "../conditions/declaration.ts";
import type { ConditionEmbedding } from "../conditions/embedding.ts";
import { channelConditions, conditionEmbeddings, unetConditions } from "./conditions.ts";
import type { DiffusionModel } from "../model.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { standardNormal } from "../../nn/init.ts";
import { Upsample } from "../../nn/resample.ts";
import type { ResnetBlock } from "../../nn/resnet-block.ts";
import { UnetEncoder } from "./encoder.ts";
import type { Stage } from "./encoder.ts";
import { UnetLayers } from "./layers.ts";
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
  readonly conditions: ConditionDeclarations;
  /** What conditions add to the time's embedding. */
  readonly conditionEmbeddings: readonly ConditionEmbedding[];
  readonly nullContext: Variable | undefined;
  /** After the attention of each of `downs`, the middle and each of `ups`; none without contexts. */
  readonly crossAttns: readonly CrossAttention[] = [];

  constructor(options: UnetOptions) {
    const complete = completeUnetOptions("Unet", options);
    const layers = new UnetLayers(complete);
    super(complete, layers);
    const { dim, initDim, outDim, contextDim } = complete;
    const { random, attention, deepest } = layers;
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
    this.conditions = unetConditions(complete);
    this.conditionEmbeddings = conditionEmbeddings(complete, layers);
    if (contextDim > 0) {
      const widths = [...stages.map(({ wide }) => wide), deepest, ...upwards.map(({ deep }) => deep)];
      this.nullContext = standardNormal("nullContext", [contextDim], random);
      this.crossAttns = widths.map((width) => new CrossAttention(width, { ...attention, contextDim }));
    }
    this.labelParameters();
  }

  get architecture(): string {
    return "unet";
  }

  get predicts(): "images" {
    return "images";
  }

  /** The parts of embeddings count as the model's own, as in denoising-diffusion-pytorch: `classes_mlp.0.weight`. */
  override parts(): [string, unknown][] {
    return super.parts().flatMap(([name, part]): [string, unknown][] => {
      if (name === "conditions") return [];
      return part === this.conditionEmbeddings ? this.conditionEmbeddings.flatMap((e) => e.parts()) : [[name, part]];
    });
  }

  /**
   * @param x noisy images [batch, height, width, channels], usually about [-1, 1] plus noise
   * @param time timesteps [batch], i32 or f32
   * @param conditions the model must have been made for those that are given
   * @returns [batch, height, width, outDim]
   */
  forward(x: Tensor, time: Tensor, conditions: Conditions = {}): Tensor {
    this.checkImages("Unet", x, time);
    checkConditions("Unet", this.conditions, conditions, x.shape);
    const beside = (wanted: "before" | "after"): Tensor[] =>
      channelConditions(this.options)
        .filter(({ side }) => side === wanted)
        .map(({ name }) => conditions[name] ?? full(x.shape, 0));
    const given = [...beside("before"), x, ...beside("after")];
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
    return this.conditionEmbeddings.reduce<Tensor>(
      (embedding, part) => embedding.add(part.forward(conditions)),
      this.timeMlp.forward(time),
    );
  }
}
