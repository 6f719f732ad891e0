import { averagePool, upsampleNearest } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { SiLU } from "../../nn/activations.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { Dropout } from "../../nn/dropout.ts";
import { GroupNorm } from "../../nn/group-norm.ts";
import { zeros } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { Sequential } from "../../nn/module/sequential.ts";

export interface AdmResBlockOptions {
  readonly embeddingDim: number;
  readonly normGroups: number;
  readonly useScaleShiftNorm: boolean;
  readonly dropout: number;
  readonly random: Random;
}

/** What a block does about the resolution of what passes through it. */
const resampling = { same: (x: Tensor) => x, up: upsampleNearest, down: averagePool } as const;
export type Resampling = keyof typeof resampling;

/**
 * x + conv(dropout(silu(norm(conv(silu(norm(x))))))), from `channels` to `outChannels`, where the time takes part in the second
 * normalization: norm(h) (1 + scale) + shift, or norm(h + shift) without `useScaleShiftNorm`. The second convolution
 * starts at zero. A block that changes the resolution does so before its first convolution, and to x too, as BigGAN's
 * (Brock et al. 2018, 1809.11096).
 */
export class AdmResBlock extends Module {
  readonly inLayers: readonly [GroupNorm, SiLU, Conv2d];
  readonly embLayers: Sequential;
  readonly outLayers: readonly [GroupNorm, SiLU, Dropout, Conv2d];
  readonly skipConnection: Conv2d | undefined;
  readonly useScaleShiftNorm: boolean;
  readonly resampling: Resampling;

  constructor(
    channels: number,
    outChannels: number,
    { embeddingDim, normGroups, useScaleShiftNorm, dropout, random }: AdmResBlockOptions,
    change: Resampling = "same",
  ) {
    super();
    const conv3x3 = { padding: 1, random };
    this.inLayers = [new GroupNorm(normGroups, channels), new SiLU(), new Conv2d(channels, outChannels, 3, conv3x3)];
    const embOut = useScaleShiftNorm ? 2 * outChannels : outChannels;
    this.embLayers = new Sequential([new SiLU(), new Linear(embeddingDim, embOut, { random })]);
    const zeroConv = new Conv2d(outChannels, outChannels, 3, { ...conv3x3, weightInit: zeros, biasInit: zeros });
    this.outLayers = [new GroupNorm(normGroups, outChannels), new SiLU(), new Dropout(dropout), zeroConv];
    this.skipConnection = channels === outChannels ? undefined : new Conv2d(channels, outChannels, 1, { random });
    this.useScaleShiftNorm = useScaleShiftNorm;
    this.resampling = change;
  }

  /**
   * @param x [batch, height, width, channels]
   * @param embedding [batch, embeddingDim] or [1, embeddingDim]
   * @returns [batch, height, width, outChannels], or twice or half the height and width
   */
  forward(x: Tensor, embedding: Tensor): Tensor {
    const [inNorm, inSilu, inConv] = this.inLayers;
    const [outNorm, outSilu, dropout, outConv] = this.outLayers;
    const resample = resampling[this.resampling];
    const h = inConv.forward(resample(inSilu.forward(inNorm.forward(x))));
    const time = this.embLayers.forward(embedding);
    let normalized: Tensor;
    if (this.useScaleShiftNorm) {
      const [scale, shift] = time.chunk(2);
      normalized = outNorm.forward(h, { scale, shift });
    } else {
      normalized = outNorm.forward(h.add(time.reshape([time.shape[0], 1, 1, time.shape[1]])));
    }
    const resampled = resample(x);
    const skip = this.skipConnection ? this.skipConnection.forward(resampled) : resampled;
    return skip.add(outConv.forward(dropout.forward(outSilu.forward(normalized))));
  }
}
