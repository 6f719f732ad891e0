import { GELU } from "../../nn/activations.ts";
import { Attention, LinearAttention } from "../../nn/attention/attention.ts";
import type { AttentionOptions } from "../../nn/attention/attention.ts";
import { PreNorm } from "../../nn/group-norm.ts";
import { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { SinusoidalPositionEmbeddings } from "../../nn/position-embeddings.ts";
import { ResnetBlock } from "../../nn/resnet-block.ts";
import { Residual, Sequential } from "../../nn/module/sequential.ts";
import type { CompleteUnetOptions } from "./options.ts";

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
    const { resnetBlockGroups: groups, weightStandardization, dropout } = this.#options;
    return new ResnetBlock(from, to, {
      timeEmbeddingDim: this.timeDim,
      groups,
      weightStandardization,
      dropout,
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
