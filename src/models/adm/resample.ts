import { averagePool, upsampleNearest } from "../../tensor/functions/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import type { Random } from "../../nn/init.ts";
import { Module } from "../../nn/module/module.ts";

/** Half the height and width of [batch, height, width, channels]: a 3x3 convolution of stride 2, or the mean of 2x2 pixels. */
export class AdmDownsample extends Module {
  readonly op: Conv2d | undefined;

  constructor(channels: number, useConv: boolean, random: Random) {
    super();
    this.op = useConv ? new Conv2d(channels, channels, 3, { stride: 2, padding: 1, random }) : undefined;
  }

  forward(x: Tensor): Tensor {
    return this.op ? this.op.forward(x) : averagePool(x);
  }
}

/** Twice the height and width of [batch, height, width, channels]: every pixel is repeated; a 3x3 convolution may follow. */
export class AdmUpsample extends Module {
  readonly conv: Conv2d | undefined;

  constructor(channels: number, useConv: boolean, random: Random) {
    super();
    this.conv = useConv ? new Conv2d(channels, channels, 3, { padding: 1, random }) : undefined;
  }

  forward(x: Tensor): Tensor {
    const larger = upsampleNearest(x);
    return this.conv ? this.conv.forward(larger) : larger;
  }
}
