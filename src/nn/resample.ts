import { conv2d, upsampleNearest } from "../tensor/functions/functions.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import { Conv2d } from "./conv2d.ts";
import { Random, fanInUniform } from "./init.ts";
import { Module } from "./module/module.ts";
import { requireImages, requireWhole } from "./validate.ts";

/**
 * Twice the height and width: every pixel is repeated, then a 3x3 convolution goes from `dim` to `dimOut` channels
 * (by default `dim`). Its parameters are `1.weight` and `1.bias`.
 */
export class Upsample extends Module {
  readonly conv: Conv2d;

  constructor(dim: number, dimOut = dim, { random }: { readonly random?: Random } = {}) {
    super();
    this.conv = new Conv2d(dim, dimOut, 3, { padding: 1, random });
  }

  override parts(): [string, unknown][] {
    return [["1", this.conv]];
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(upsampleNearest(x, 2));
  }
}

/**
 * Half the height and width without losing a value: each 2x2 block of pixels becomes the channels of one pixel, and a
 * 1x1 convolution goes from those 4 * `dim` to `dimOut` channels (by default `dim`).
 *
 * `1.weight` is [dimOut, 4 dim, 1, 1]; its input channel c * 4 + row * 2 + column is channel c of the block's pixel
 * (row, column). So the two steps are one 2x2 convolution of stride 2, and are computed as such.
 */
export class Downsample extends Module {
  readonly weight: Variable;
  readonly bias: Variable;
  readonly dim: number;

  constructor(dim: number, dimOut = dim, { random = new Random() }: { readonly random?: Random } = {}) {
    super();
    requireWhole("Downsample", { dim, dimOut });
    this.dim = dim;
    const init = fanInUniform(4 * dim);
    this.weight = init("weight", [dimOut, 4 * dim, 1, 1], random);
    this.bias = init("bias", [dimOut], random);
  }

  override parts(): [string, unknown][] {
    return [
      ["1.weight", this.weight],
      ["1.bias", this.bias],
    ];
  }

  forward(x: Tensor): Tensor {
    requireImages("Downsample", x, this.dim);
    const [, height, width] = x.shape;
    if (height % 2 !== 0 || width % 2 !== 0) {
      throw new Error(`Downsample: height and width must be even, got ${height} x ${width}`);
    }
    const filters = valueOf(this.weight).reshape([this.bias.size, this.dim, 2, 2]);
    return conv2d(x, filters.transpose([2, 3, 1, 0]), { stride: 2 }).add(valueOf(this.bias));
  }
}
