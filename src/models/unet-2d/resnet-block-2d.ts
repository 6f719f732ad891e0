import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { Dropout } from "../../nn/dropout.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import type { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { activation } from "./activation.ts";
import type { ActivationName } from "./activation.ts";
import { resampling } from "./resample-2d.ts";
import type { Resampling } from "./resample-2d.ts";

export interface ResnetBlock2DOptions {
  /** Width of the time embedding. */
  readonly embeddingDim: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly actFn: ActivationName;
  readonly timeScaleShift: "default" | "scale_shift";
  readonly dropout: number;
  readonly scaleFactor?: number;
  readonly random: Random;
}

/**
 * (conv2(dropout(act(norm2(conv1(act(norm1(x))))))) + x) / scaleFactor, from `channels` to `outChannels`, with a 1x1
 * convolution of x where they differ. The time takes part in the second normalization: norm2(h + time), or with
 * `scale_shift` norm2(h) (1 + scale) + shift. A block that changes the resolution does so before its first convolution, and
 * to x too. The parameters are those of diffusers' `ResnetBlock2D`.
 */
export class ResnetBlock2D extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly timeEmbProj: Linear;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;
  readonly convShortcut: Conv2d | undefined;
  readonly scaleFactor: number;
  readonly resampling: Resampling;
  readonly #dropout: Dropout;
  readonly #act: (x: Tensor) => Tensor;
  readonly #isScaling: boolean;

  constructor(
    channels: number,
    outChannels: number,
    { embeddingDim, groups, epsilon, actFn, timeScaleShift, dropout, scaleFactor = 1, random }: ResnetBlock2DOptions,
    change: Resampling = "same",
  ) {
    super();
    const conv3x3 = { padding: 1, random };
    this.#isScaling = timeScaleShift === "scale_shift";
    this.norm1 = new GroupNorm(groups, channels, { epsilon });
    this.conv1 = new Conv2d(channels, outChannels, 3, conv3x3);
    this.timeEmbProj = new Linear(embeddingDim, this.#isScaling ? 2 * outChannels : outChannels, { random });
    this.norm2 = new GroupNorm(groups, outChannels, { epsilon });
    this.conv2 = new Conv2d(outChannels, outChannels, 3, conv3x3);
    this.convShortcut = channels === outChannels ? undefined : new Conv2d(channels, outChannels, 1, { random });
    this.scaleFactor = scaleFactor;
    this.resampling = change;
    this.#dropout = new Dropout(dropout);
    this.#act = activation(actFn);
  }

  /**
   * @param x [batch, height, width, channels]
   * @param embedding of the time, [batch, embeddingDim]
   * @returns [batch, height, width, outChannels], or twice or half the height and width
   */
  forward(x: Tensor, embedding: Tensor): Tensor {
    const resample = resampling[this.resampling];
    const h = this.conv1.forward(resample(this.#act(this.norm1.forward(x))));
    const time = this.timeEmbProj.forward(this.#act(embedding));
    const normalized = this.#act(this.#normalize(h, time));
    const branch = this.conv2.forward(this.#dropout.forward(normalized));
    const input = resample(x);
    const sum = branch.add(this.convShortcut ? this.convShortcut.forward(input) : input);
    return this.scaleFactor === 1 ? sum : sum.divide(this.scaleFactor);
  }

  #normalize(h: Tensor, time: Tensor): Tensor {
    if (!this.#isScaling) return this.norm2.forward(h.add(time.reshape([time.shape[0], 1, 1, time.shape[1]])));
    const [scale, shift] = time.chunk(2);
    return this.norm2.forward(h, { scale, shift });
  }
}
