import { averagePool, upsampleNearest } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import type { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";

/** What happens to the resolution of what passes through a residual block. */
export const resampling = { same: (x: Tensor) => x, up: upsampleNearest, down: averagePool } as const;
export type Resampling = keyof typeof resampling;

/** Half the height and width of [batch, height, width, channels] by a 3x3 convolution of stride 2. */
export class Downsample2D extends Module {
  readonly conv: Conv2d;

  /** @param padding 1 for a zero on every side; 0 for one at the right and one below, as TensorFlow's `SAME` has it */
  constructor(channels: number, padding: number, random: Random) {
    super();
    const sides = padding === 0 ? ([0, 1] as const) : ([padding, padding] as const);
    this.conv = new Conv2d(channels, channels, 3, { stride: 2, padding: [sides, sides], random });
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

/** Twice the height and width of [batch, height, width, channels]: every pixel is repeated, then a 3x3 convolution. */
export class Upsample2D extends Module {
  readonly conv: Conv2d;

  constructor(channels: number, random: Random) {
    super();
    this.conv = new Conv2d(channels, channels, 3, { padding: 1, random });
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(upsampleNearest(x));
  }
}
