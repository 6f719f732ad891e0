import { silu } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import type { Embedding } from "../../nn/embedding.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";
import { requireImages } from "../../nn/validate.ts";
import { checkConditions } from "../conditions/declaration.ts";
import type { ConditionDeclarations, Conditions } from "../conditions/declaration.ts";
import type { DiffusionModel } from "../model.ts";
import { BlockLayers, DownBlock, MidBlock, UpBlock } from "./blocks.ts";
import { classEmbedding, embeddedConditions, unet2DConditions } from "./class-embedding.ts";
import { configOfOptions, optionsOfConfig } from "./config.ts";
import type { DiffusersConfig } from "./config.ts";
import { completeUNet2DModelOptions, timeEmbeddingWidth } from "./options.ts";
import type { CompleteUNet2DModelOptions, UNet2DModelOptions } from "./options.ts";
import { TimestepEmbedding, timeProjection } from "./timestep-embedding.ts";
import type { TimeProjection } from "./timestep-embedding.ts";

/**
 * The unconditional U-Net of diffusers, `UNet2DModel`, with the names and layouts of its weights. With the right options it
 * is the network of DDPM (Ho et al. 2020, 2006.11239), of score-based models (Song et al. 2021, 2011.13456) without their
 * filters, and of consistency models (Song et al. 2023, 2303.01469).
 *
 * Images are [batch, height, width, channels] of any height and width divisible by 2^(blockOutChannels.length - 1).
 *
 * @example
 * const model = new UNet2DModel({
 *   blockOutChannels: [64, 128, 128],
 *   downBlockTypes: ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
 *   upBlockTypes: ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
 * });
 */
export class UNet2DModel extends Module implements DiffusionModel {
  readonly options: CompleteUNet2DModelOptions;
  // In the order in which diffusers has them.
  readonly convIn: Conv2d;
  readonly timeProj: TimeProjection;
  readonly timeEmbedding: TimestepEmbedding;
  readonly classEmbedding: Embedding | TimestepEmbedding | undefined;
  readonly downBlocks: readonly DownBlock[];
  readonly upBlocks: readonly UpBlock[];
  readonly midBlock: MidBlock | undefined;
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  constructor(options: UNet2DModelOptions = {}) {
    super();
    const complete = completeUNet2DModelOptions(options);
    this.options = complete;
    const { channels, outDim, blockOutChannels: widths, normNumGroups, normEps } = complete;
    const random = new Random(complete.seed);
    const layers = new BlockLayers(complete, random);
    const last = widths.length - 1;
    this.convIn = new Conv2d(channels, widths[0], 3, { padding: 1, random });
    this.timeProj = timeProjection(complete, random);
    this.timeEmbedding = new TimestepEmbedding(this.timeProj.width, timeEmbeddingWidth(complete), random);
    this.classEmbedding = classEmbedding(complete, this.timeProj, random);
    this.downBlocks = complete.downBlockTypes.map((type, i) => {
      const place = { inChannels: widths[Math.max(i - 1, 0)], outChannels: widths[i], isLast: i === last };
      return new DownBlock(type, place, layers);
    });
    this.midBlock = complete.midBlockType === null ? undefined : new MidBlock(widths[last], layers);
    this.upBlocks = complete.upBlockTypes.map((type, i) => {
      const at = last - i;
      const place = {
        belowChannels: widths[Math.min(at + 1, last)],
        outChannels: widths[at],
        finerChannels: widths[Math.max(at - 1, 0)],
        isLast: i === last,
      };
      return new UpBlock(type, place, layers);
    });
    this.convNormOut = new GroupNorm(normNumGroups, widths[0], { epsilon: normEps });
    this.convOut = new Conv2d(widths[0], outDim, 3, { padding: 1, random });
    this.labelParameters();
  }

  /**
   * The model of a diffusers `config.json`, with weights of its own: those of a file are to be loaded.
   *
   * @param where what the config is, for messages: `unet/config.json`
   * @throws one line that names the field and its value, if it asks for what there is not here
   */
  static fromConfig(json: unknown, where = "config.json"): UNet2DModel {
    return new UNet2DModel(optionsOfConfig(json, where));
  }

  /** What diffusers' `config.json` says of it, all fields with their values. */
  toConfig(): DiffusersConfig {
    return configOfOptions(this.options);
  }

  get architecture(): string {
    return "unet2d";
  }

  get predicts(): "images" {
    return "images";
  }

  get conditions(): ConditionDeclarations {
    return unet2DConditions(this.options);
  }

  get channels(): number {
    return this.options.channels;
  }

  /** Number of classes that it knows, 0 if none. */
  get numClasses(): number {
    return this.options.classEmbedType === null ? this.options.numClasses : 0;
  }

  /**
   * @param x noisy images [batch, height, width, channels]
   * @param time timesteps [batch], i32 or f32
   * @returns [batch, height, width, outDim]
   */
  forward(x: Tensor, time: Tensor, conditions: Conditions = {}): Tensor {
    this.#check(x, time, conditions);
    const { centerInputSample, timeEmbeddingType } = this.options;
    const embedding = this.#embed(time, conditions);
    let h = this.convIn.forward(centerInputSample ? x.multiply(2).subtract(1) : x);
    const skips = [h];
    for (const block of this.downBlocks) h = block.forward(h, embedding, skips);
    if (this.midBlock) h = this.midBlock.forward(h, embedding);
    for (const block of this.upBlocks) h = block.forward(h, embedding, skips);
    const y = this.convOut.forward(silu(this.convNormOut.forward(h)));
    // Its network learns the score, which shrinks with the noise level that is its time (Song et al. 2021).
    return timeEmbeddingType === "fourier" ? y.divide(time.convert("f32").reshape([time.size, 1, 1, 1])) : y;
  }

  /** [batch, width of the time embedding] */
  #embed(time: Tensor, conditions: Conditions): Tensor {
    const embedding = this.timeEmbedding.forward(this.timeProj.forward(time));
    const told = embeddedConditions(this.options, this.classEmbedding, this.timeProj, conditions);
    return told ? embedding.add(told) : embedding;
  }

  #check(x: Tensor, time: Tensor, conditions: Conditions): void {
    const { channels, blockOutChannels } = this.options;
    requireImages("UNet2DModel", x, channels);
    const [batch, height, width] = x.shape;
    const divisor = 2 ** (blockOutChannels.length - 1);
    if (height === 0 || width === 0 || height % divisor !== 0 || width % divisor !== 0) {
      const sizes = `height and width must be divisible by ${divisor} with ${blockOutChannels.length} resolutions`;
      throw new Error(`UNet2DModel: ${sizes}, got ${height} x ${width}`);
    }
    if (time.rank !== 1 || time.shape[0] !== batch) {
      const got = `[${time.shape.join(",")}]`;
      throw new Error(`UNet2DModel: time must hold one timestep for each of ${batch} images, got ${got}`);
    }
    checkConditions("UNet2DModel", this.conditions, conditions, x.shape);
  }
}
