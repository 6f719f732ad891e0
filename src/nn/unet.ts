import { concatenate, full } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { GELU } from "./activations.ts";
import { Attention, CrossAttention, LinearAttention } from "./attention.ts";
import { ClassEmbedding, VectorEmbedding, contextTokens } from "./condition-embedding.ts";
import { checkConditions } from "./conditions.ts";
import type { Conditions } from "./conditions.ts";
import { Conv2d } from "./conv2d.ts";
import type { WeightStandardization } from "./conv2d.ts";
import { PreNorm } from "./group-norm.ts";
import { Random, standardNormal } from "./init.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import type { Layer } from "./module.ts";
import { SinusoidalPositionEmbeddings } from "./position-embeddings.ts";
import { Downsample, Upsample } from "./resample.ts";
import { ResnetBlock } from "./resnet-block.ts";
import { Residual, Sequential } from "./sequential.ts";
import { requireImages, requireWhole } from "./validate.ts";

export interface UnetOptions {
  /** Base width in channels, even and at least 4; the time embedding is 4 times as wide. */
  readonly dim: number;
  /** Channels after the first convolution; default `dim`. */
  readonly initDim?: number;
  /** Channels of the result; default `channels`. */
  readonly outDim?: number;
  /** Channels of each resolution in multiples of `dim`, from the finest; default [1, 2, 4, 8]. */
  readonly dimMults?: readonly number[];
  /** Channels of the images: 1 for gray, 3 (the default) for colour. */
  readonly channels?: number;
  /** Also take an earlier estimate of the clean images (Chen et al. 2022, 2208.04202); default false. */
  readonly selfCondition?: boolean;
  /** Number of classes that images may be of, for a class-conditional model; default 0: none. */
  readonly numClasses?: number;
  /** Length of the vectors that images may be described by; default 0: none. */
  readonly vectorDim?: number;
  /** Channels of the sequences, such as a text's, that attention may look at; default 0: none. */
  readonly contextDim?: number;
  /** Groups of the group normalizations in the ResNet blocks; default 4. */
  readonly resnetBlockGroups?: number;
  /** Heads of every attention layer; default 4. */
  readonly attentionHeads?: number;
  /** Channels per attention head; default 32. */
  readonly attentionDimHead?: number;
  /** Default `standardized`; `printed` runs weights trained with the code of "The Annotated Diffusion Model". */
  readonly weightStandardization?: WeightStandardization;
  /** Seed of the initial weights, a whole number below 2^32; default 0. */
  readonly seed?: number;
}

type Stage<Resample> = readonly [block1: ResnetBlock, block2: ResnetBlock, attention: Residual, resample: Resample];

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
export class Unet extends Module {
  readonly options: Required<UnetOptions>;
  readonly initConv: Conv2d;
  readonly timeMlp: Sequential;
  readonly classEmbedding: ClassEmbedding | undefined;
  readonly vectorEmbedding: VectorEmbedding | undefined;
  readonly nullContext: Variable | undefined;
  /** One for each of `downs`, the middle and each of `ups`, after their self-attention; none without contexts. */
  readonly downCrossAttns: readonly CrossAttention[] = [];
  readonly midCrossAttn: CrossAttention | undefined;
  readonly upCrossAttns: readonly CrossAttention[] = [];
  readonly downs: readonly Stage<Downsample | Conv2d>[];
  readonly ups: readonly Stage<Upsample | Conv2d>[];
  readonly midBlock1: ResnetBlock;
  readonly midAttn: Residual;
  readonly midBlock2: ResnetBlock;
  readonly finalResBlock: ResnetBlock;
  readonly finalConv: Conv2d;

  constructor(options: UnetOptions) {
    super();
    this.options = complete(options);
    const { dim, initDim, outDim, channels, selfCondition, dimMults, seed } = this.options;
    const { numClasses, vectorDim, contextDim } = this.options;
    const random = new Random(seed);
    const timeDim = dim * 4;
    const blockOptions = {
      timeEmbeddingDim: timeDim,
      groups: this.options.resnetBlockGroups,
      weightStandardization: this.options.weightStandardization,
      random,
    };
    const attention = { heads: this.options.attentionHeads, dimHead: this.options.attentionDimHead, random };
    const block = (from: number, to: number): ResnetBlock => new ResnetBlock(from, to, blockOptions);
    const attend = (width: number, layer: Layer): Residual => new Residual(new PreNorm(width, layer));

    const widths = [initDim, ...dimMults.map((mult) => dim * mult)];
    const stages = dimMults.map((_, i) => ({ wide: widths[i], deep: widths[i + 1] }));
    const deepest = widths[widths.length - 1];

    this.initConv = new Conv2d(channels * (selfCondition ? 2 : 1), initDim, 1, { random });
    this.timeMlp = new Sequential([
      new SinusoidalPositionEmbeddings(dim),
      new Linear(dim, timeDim, { random }),
      new GELU(),
      new Linear(timeDim, timeDim, { random }),
    ]);
    this.downs = stages.map(({ wide, deep }, i) => [
      block(wide, wide),
      block(wide, wide),
      attend(wide, new LinearAttention(wide, attention)),
      i < stages.length - 1
        ? new Downsample(wide, deep, { random })
        : new Conv2d(wide, deep, 3, { padding: 1, random }),
    ]);
    this.midBlock1 = block(deepest, deepest);
    this.midAttn = attend(deepest, new Attention(deepest, attention));
    this.midBlock2 = block(deepest, deepest);
    this.ups = stages
      .toReversed()
      .map(({ wide, deep }, i) => [
        block(deep + wide, deep),
        block(deep + wide, deep),
        attend(deep, new LinearAttention(deep, attention)),
        i < stages.length - 1
          ? new Upsample(deep, wide, { random })
          : new Conv2d(deep, wide, 3, { padding: 1, random }),
      ]);
    // The last stage and the first convolution meet here, each initDim wide; PyTorch's original assumes dim.
    this.finalResBlock = block(initDim * 2, dim);
    this.finalConv = new Conv2d(dim, outDim, 1, { random });
    if (numClasses > 0) this.classEmbedding = new ClassEmbedding(numClasses, dim, timeDim, random);
    if (vectorDim > 0) this.vectorEmbedding = new VectorEmbedding(vectorDim, timeDim, random);
    if (contextDim > 0) {
      const look = (width: number): CrossAttention => new CrossAttention(width, { ...attention, contextDim });
      this.nullContext = standardNormal("nullContext", [contextDim], random);
      this.downCrossAttns = stages.map(({ wide }) => look(wide));
      this.midCrossAttn = look(deepest);
      this.upCrossAttns = stages.toReversed().map(({ deep }) => look(deep));
    }
    this.labelParameters();
  }

  get channels(): number {
    return this.options.channels;
  }

  get selfCondition(): boolean {
    return this.options.selfCondition;
  }

  /** Number of classes that it knows, 0 if none. */
  get numClasses(): number {
    return this.options.numClasses;
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
    this.#checkInputs(x, time, conditions);
    const known = conditions.selfCondition ?? full(x.shape, 0);
    let y = this.initConv.forward(this.selfCondition ? concatenate([known, x], 3) : x);
    const first = y;
    const embedding = this.#embed(time, conditions);
    const context = this.nullContext && contextTokens(this.nullContext, conditions, x.shape[0]);
    const look = (y: Tensor, cross: CrossAttention | undefined): Tensor =>
      cross && context ? cross.forward(y, context.tokens, context.mask) : y;
    const skips: Tensor[] = [];

    for (const [i, [block1, block2, attention, downsample]] of this.downs.entries()) {
      y = block1.forward(y, embedding);
      skips.push(y);
      y = look(attention.forward(block2.forward(y, embedding)), this.downCrossAttns[i]);
      skips.push(y);
      y = downsample.forward(y);
    }

    y = this.midBlock1.forward(y, embedding);
    y = look(this.midAttn.forward(y), this.midCrossAttn);
    y = this.midBlock2.forward(y, embedding);

    const withSkip = (t: Tensor): Tensor => concatenate([t, ...skips.splice(-1)], 3);
    for (const [i, [block1, block2, attention, upsample]] of this.ups.entries()) {
      y = block1.forward(withSkip(y), embedding);
      y = block2.forward(withSkip(y), embedding);
      y = upsample.forward(look(attention.forward(y), this.upCrossAttns[i]));
    }

    return this.finalConv.forward(this.finalResBlock.forward(concatenate([y, first], 3), embedding));
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
    if (this.classEmbedding) embedding = embedding.add(this.classEmbedding.forward(conditions));
    if (this.vectorEmbedding) embedding = embedding.add(this.vectorEmbedding.forward(conditions));
    return embedding;
  }

  #checkInputs(x: Tensor, time: Tensor, conditions: Conditions): void {
    requireImages("Unet", x, this.channels);
    const [batch, height, width] = x.shape;
    const divisor = 2 ** (this.options.dimMults.length - 1);
    if (height === 0 || width === 0 || height % divisor !== 0 || width % divisor !== 0) {
      throw new Error(
        `Unet: height and width must be divisible by ${divisor} with ${this.options.dimMults.length} resolutions, got ${height} x ${width}`,
      );
    }
    if (time.rank !== 1 || time.shape[0] !== batch) {
      throw new Error(`Unet: time must hold one timestep for each of ${batch} images, got [${time.shape.join(",")}]`);
    }
    checkConditions("Unet", conditions, x, this.options);
  }
}

function complete(options: UnetOptions): Required<UnetOptions> {
  const { dim, dimMults = [1, 2, 4, 8], channels = 3 } = options;
  const {
    initDim = dim,
    outDim = channels,
    resnetBlockGroups = 4,
    attentionHeads = 4,
    attentionDimHead = 32,
    numClasses = 0,
    vectorDim = 0,
    contextDim = 0,
  } = options;
  requireWhole("Unet", { dim, channels, initDim, outDim, resnetBlockGroups, attentionHeads, attentionDimHead });
  requireWhole("Unet", { numClasses, vectorDim, contextDim }, 0);
  if (dim < 4 || dim % 2 !== 0) throw new Error(`Unet: dim must be even and at least 4, got ${dim}`);
  if (dimMults.length === 0) throw new Error("Unet: dimMults must name at least one resolution, got []");
  for (const [i, mult] of dimMults.entries()) requireWhole("Unet", { [`dimMults[${i}]`]: mult });
  for (const width of [initDim, dim, ...dimMults.map((mult) => dim * mult)]) {
    if (width % resnetBlockGroups === 0) continue;
    throw new Error(
      `Unet: channels of every resolution must be divisible by resnetBlockGroups, got ${width} and ${resnetBlockGroups}`,
    );
  }
  return {
    dim,
    initDim,
    outDim,
    dimMults: [...dimMults],
    channels,
    selfCondition: options.selfCondition ?? false,
    numClasses,
    vectorDim,
    contextDim,
    resnetBlockGroups,
    attentionHeads,
    attentionDimHead,
    weightStandardization: options.weightStandardization ?? "standardized",
    seed: options.seed ?? 0,
  };
}
