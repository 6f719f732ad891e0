import { Linear, Module, Random, concatenate, silu, timestepEmbedding } from "unnoise";
import type { Denoiser, Tensor } from "unnoise";

const TIME_DIM = 32;

/** A small multilayer perceptron that sees a point in the plane as a picture of one pixel with two channels, and the time. */
export class PointNetwork extends Module implements Denoiser {
  readonly channels = 2;
  readonly first: Linear;
  readonly second: Linear;
  readonly third: Linear;
  readonly last: Linear;

  constructor({ width = 128, seed = 0 }: { readonly width?: number; readonly seed?: number } = {}) {
    super();
    const random = new Random(seed);
    this.first = new Linear(2 + TIME_DIM, width, { random });
    this.second = new Linear(width, width, { random });
    this.third = new Linear(width, width, { random });
    this.last = new Linear(width, 2, { random });
    this.labelParameters();
  }

  forward(x: Tensor, t: Tensor): Tensor {
    const [batch] = x.shape;
    const seen = concatenate([x.reshape([batch, 2]), timestepEmbedding(t, TIME_DIM)], 1);
    const hidden = silu(this.third.forward(silu(this.second.forward(silu(this.first.forward(seen))))));
    return this.last.forward(hidden).reshape(x.shape);
  }
}
