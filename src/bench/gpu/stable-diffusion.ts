import { mergeHeads, scaledDotProduct } from "../../nn/attention/scaled-dot-product.ts";
import { Tensor, concatenate, dotGeneral, valueOf } from "../../tensor/tensor.ts";
import { conv2d, gelu, silu, upsampleNearest } from "../../tensor/functions/functions.ts";
import { groupNorm } from "../../tensor/functions/norm.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { Shape } from "../../tensor/shape.ts";
import { Variable } from "../../tensor/variable.ts";

const CHANNELS = [320, 640, 1280, 1280];
const HEADS = 8;
const GROUPS = 32;

export interface StableDiffusionSize {
  readonly batchSize: number;
  /** Side of the latent image. */
  readonly latent: number;
  /** How many of the levels' 320 channels there are to one. */
  readonly narrower?: number;
}

/**
 * A prediction of a network of the size of Stable Diffusion 1.5's (Rombach et al. 2022, 2112.10752): its layers, shapes and
 * 860 million parameters, all of them zeros. It is there to be counted and timed: the library has no such network.
 *
 * Inputs: latents [batch, side, side, 4], the embedded timesteps [batch, 320] and 77 tokens [batch, 77, 768].
 */
export function stableDiffusionGraph({ batchSize, latent, narrower = 1 }: StableDiffusionSize): Graph {
  const inputs: Tensor[] = [];
  const input = (shape: Shape, dtype: DType = "f32"): Tensor => {
    const tensor = new Tensor({ kind: "input", index: inputs.length, shape, dtype });
    inputs.push(tensor);
    return tensor;
  };
  const channels = CHANNELS.map((n) => n / narrower);
  const [image, timesteps, tokens] = [
    input([batchSize, latent, latent, 4]),
    input([batchSize, channels[0]]),
    input([batchSize, 77, 768]),
  ];
  const network = new Network(tokens, channels[0] * 4, timesteps);
  return { inputs, outputs: [network.predict(image, channels)], updates: [] };
}

class Network {
  readonly #tokens: Tensor;
  readonly #time: Tensor;
  #weights = 0;

  constructor(tokens: Tensor, timeChannels: number, timesteps: Tensor) {
    this.#tokens = tokens;
    this.#time = this.#linear(silu(this.#linear(timesteps, timeChannels)), timeChannels);
  }

  predict(image: Tensor, channels: readonly number[]): Tensor {
    const last = channels.length - 1;
    let x = this.#convolution(image, channels[0]);
    const skips = [x];
    channels.forEach((width, level) => {
      for (let block = 0; block < 2; block++) {
        x = this.#residual(x, width);
        if (level < last) x = this.#transformer(x);
        skips.push(x);
      }
      if (level === last) return;
      x = this.#convolution(x, width, 3, 2);
      skips.push(x);
    });
    x = this.#residual(this.#transformer(this.#residual(x, channels[last])), channels[last]);
    for (const [level, width] of [...channels.entries()].toReversed()) {
      for (let block = 0; block < 3; block++) {
        const skip = skips.pop();
        if (!skip) throw new Error("internal: an image of each block is kept");
        x = this.#residual(concatenate([x, skip], 3), width);
        if (level < last) x = this.#transformer(x);
      }
      if (level > 0) x = this.#convolution(upsampleNearest(x), width);
    }
    return this.#convolution(silu(this.#groupNorm(x)), image.shape[3]);
  }

  #weight(shape: Shape): Tensor {
    return valueOf(new Variable(`weight${this.#weights++}`, shape));
  }

  #convolution(x: Tensor, channels: number, size = 3, stride = 1): Tensor {
    const filter = this.#weight([channels, x.shape[3], size, size]).transpose([2, 3, 1, 0]);
    return conv2d(x, filter, { stride, padding: size === 3 ? 1 : 0 }).add(this.#weight([channels]));
  }

  #linear(x: Tensor, columns: number, hasBias = true): Tensor {
    const weight = this.#weight([columns, x.shape[x.rank - 1]]);
    const axes = { lhsBatch: [], rhsBatch: [], lhsContract: [x.rank - 1], rhsContract: [1] };
    const product = dotGeneral(x, weight, axes);
    return hasBias ? product.add(this.#weight([columns])) : product;
  }

  #groupNorm(x: Tensor, epsilon = 1e-5): Tensor {
    const weight = this.#weight([x.shape[3]]);
    return groupNorm(x, { groups: GROUPS, weight, bias: this.#weight([x.shape[3]]), epsilon });
  }

  #layerNorm(x: Tensor): Tensor {
    const channels = x.shape[x.rank - 1];
    const centered = x.subtract(x.mean(-1, true));
    const scale = centered.square().mean(-1, true).add(1e-5).rsqrt();
    return centered
      .multiply(scale)
      .multiply(this.#weight([channels]))
      .add(this.#weight([channels]));
  }

  #residual(x: Tensor, channels: number): Tensor {
    let h = this.#convolution(silu(this.#groupNorm(x)), channels);
    h = h.add(this.#linear(silu(this.#time), channels).reshape([x.shape[0], 1, 1, channels]));
    h = this.#convolution(silu(this.#groupNorm(h)), channels);
    return (x.shape[3] === channels ? x : this.#convolution(x, channels, 1)).add(h);
  }

  #transformer(x: Tensor): Tensor {
    const [batch, height, width, channels] = x.shape;
    let y = this.#convolution(this.#groupNorm(x, 1e-6), channels, 1).reshape([batch, height * width, channels]);
    const own = this.#layerNorm(y);
    y = y.add(this.#attention(own, own));
    y = y.add(this.#attention(this.#layerNorm(y), this.#tokens));
    const [value, gate] = this.#linear(this.#layerNorm(y), 8 * channels).chunk(2, 2);
    y = y.add(this.#linear(value.multiply(gelu(gate)), channels));
    return this.#convolution(y.reshape(x.shape), channels, 1).add(x);
  }

  #attention(x: Tensor, context: Tensor): Tensor {
    const [batch, , channels] = x.shape;
    const size = channels / HEADS;
    const headsOf = (from: Tensor): Tensor =>
      this.#linear(from, channels, false).reshape([batch, from.shape[1], HEADS, size]);
    const out = mergeHeads(scaledDotProduct(headsOf(x), headsOf(context), headsOf(context)));
    return this.#linear(out, channels);
  }
}
