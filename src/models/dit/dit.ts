import { literal } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";
import { requireImages } from "../../nn/validate.ts";
import { classCondition } from "../conditions/classes.ts";
import { checkConditions } from "../conditions/declaration.ts";
import type { ConditionDeclarations, Conditions } from "../conditions/declaration.ts";
import type { DiffusionModel } from "../model.ts";
import { DiTBlock, FinalLayer } from "./block.ts";
import { LabelEmbedder, PatchEmbedder, TimestepEmbedder } from "./embedders.ts";
import { completeDiTOptions } from "./options.ts";
import type { CompleteDiTOptions, DiTOptions } from "./options.ts";
import { sincosPositions } from "./positions.ts";

/** The largest rounding error between two computations of the table of positions. */
const POSITION_TOLERANCE = 1e-5;

/**
 * A diffusion transformer (Peebles & Xie 2022, "Scalable diffusion models with transformers", 2212.09748) with adaLN-Zero,
 * with names and layouts of the authors' checkpoints.
 *
 * Images are [batch, height, width, channels] of any height and width divisible by `patchSize`.
 *
 * @example
 * const model = new DiT({ ...ditSizes.S, patchSize: 2, channels: 1, numClasses: 10 });
 */
export class DiT extends Module implements DiffusionModel {
  readonly options: CompleteDiTOptions;
  readonly xEmbedder: PatchEmbedder;
  readonly tEmbedder: TimestepEmbedder;
  readonly yEmbedder: LabelEmbedder | undefined;
  readonly blocks: readonly DiTBlock[];
  readonly finalLayer: FinalLayer;

  constructor(options: DiTOptions) {
    super();
    const complete = completeDiTOptions(options);
    this.options = complete;
    const { patchSize, channels, hiddenSize, depth, numHeads, mlpRatio, numClasses, nullClass, outDim } = complete;
    const random = new Random(complete.seed);
    this.xEmbedder = new PatchEmbedder(patchSize, channels, hiddenSize, random);
    this.tEmbedder = new TimestepEmbedder(hiddenSize, random);
    if (numClasses > 0) this.yEmbedder = new LabelEmbedder(numClasses, nullClass, hiddenSize, random);
    const mlpHiddenDim = Math.floor(hiddenSize * mlpRatio);
    this.blocks = Array.from({ length: depth }, () => new DiTBlock(hiddenSize, numHeads, mlpHiddenDim, random));
    this.finalLayer = new FinalLayer(hiddenSize, patchSize ** 2 * outDim);
    this.labelParameters();
  }

  get architecture(): string {
    return "dit";
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
    const { patchSize, hiddenSize } = this.options;
    const grid = [x.shape[1] / patchSize, x.shape[2] / patchSize] as const;
    const condition = this.#condition(time, conditions);
    let tokens = this.xEmbedder.forward(x).add(literal(sincosPositions(...grid, hiddenSize)));
    for (const block of this.blocks) tokens = block.forward(tokens, condition);
    return this.#unpatchify(this.finalLayer.forward(tokens, condition), grid);
  }

  /**
   * As every module's. A checkpoint of the authors also holds `pos_embed`, the table of positions, which is computed here
   * for images of any size; it may be there if it is the table that it would be.
   */
  override async loadStateDict(state: ReadonlyMap<string, NdArray>, source = "loadStateDict"): Promise<void> {
    const { pos_embed: positions, ...rest } = Object.fromEntries(state);
    if (positions) this.#checkPositions(positions, source);
    await super.loadStateDict(new Map(Object.entries(rest)), source);
  }

  /** [batch, hiddenSize] */
  #condition(time: Tensor, conditions: Conditions): Tensor {
    const embedding = this.tEmbedder.forward(time);
    return this.yEmbedder ? embedding.add(this.yEmbedder.forward(conditions)) : embedding;
  }

  /** [batch, rows * columns, patchSize^2 * outDim] to [batch, height, width, outDim] */
  #unpatchify(tokens: Tensor, [rows, columns]: readonly [number, number]): Tensor {
    const { patchSize: p, outDim } = this.options;
    const [batch] = tokens.shape;
    return tokens
      .reshape([batch, rows, columns, p, p, outDim])
      .transpose([0, 1, 3, 2, 4, 5])
      .reshape([batch, rows * p, columns * p, outDim]);
  }

  #check(x: Tensor, time: Tensor, conditions: Conditions): void {
    const { channels, patchSize } = this.options;
    requireImages("DiT", x, channels);
    const [batch, height, width] = x.shape;
    if (height === 0 || width === 0 || height % patchSize !== 0 || width % patchSize !== 0) {
      throw new Error(`DiT: height and width must be divisible by patchSize, ${patchSize}, got ${height} x ${width}`);
    }
    if (time.rank !== 1 || time.shape[0] !== batch) {
      const got = `[${time.shape.join(",")}]`;
      throw new Error(`DiT: time must hold one timestep for each of ${batch} images, got ${got}`);
    }
    checkConditions("DiT", this.conditions, conditions, x.shape);
  }

  #checkPositions({ shape, data }: NdArray, source: string): void {
    const { hiddenSize } = this.options;
    const side = Math.sqrt(shape[1] ?? 0);
    const isTable = shape.length === 3 && shape[0] === 1 && Number.isInteger(side) && shape[2] === hiddenSize;
    const expected = isTable ? sincosPositions(side, side, hiddenSize).data : [];
    const isSame =
      data.length === expected.length && data.every((value, i) => Math.abs(value - expected[i]) <= POSITION_TOLERANCE);
    if (isSame) return;
    throw new Error(`${source}: pos_embed is not the table of sines and cosines of [1, patches, ${hiddenSize}]`);
  }
}
