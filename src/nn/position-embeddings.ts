import { formatShape } from "../tensor/shape.ts";
import { concatenate, literal } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNames } from "../config/rules.ts";
import { Module } from "./module/module.ts";

/**
 * Sinusoidal embeddings of timesteps (Vaswani et al. 2017, 1706.03762): from [batch], i32 or f32, to [batch, dim],
 * sin(t w_i) for i < dim / 2 and then cos(t w_i), where w_i = 10000^(-i / (dim / 2 - 1)).
 */
export class SinusoidalPositionEmbeddings extends Module {
  readonly dim: number;

  /** @param dim even, at least 4 */
  constructor(dim: number) {
    super();
    if (!Number.isSafeInteger(dim) || dim < 4 || dim % 2 !== 0) {
      throw new Error(`SinusoidalPositionEmbeddings: dim must be even and at least 4, got ${dim}`);
    }
    this.dim = dim;
  }

  forward(time: Tensor): Tensor {
    if (time.rank !== 1 || (time.dtype !== "f32" && time.dtype !== "i32")) {
      const got = `${time.dtype} ${formatShape(time.shape)}`;
      throw new Error(`SinusoidalPositionEmbeddings: time must be i32 or f32 [batch], got ${got}`);
    }
    const half = this.dim / 2;
    // Rounded to f32 where PyTorch rounds: t reaches 1000, which multiplies a frequency's last digit.
    const exponent = Math.fround(-Math.log(10000) / (half - 1));
    const frequencies = Float32Array.from({ length: half }, (_, i) => Math.exp(Math.fround(i * exponent)));
    const table = literal({ shape: [1, half], dtype: "f32", data: frequencies });
    const angles = time.convert("f32").reshape([time.size, 1]).multiply(table);
    return concatenate([angles.sin(), angles.cos()], 1);
  }
}

export interface TimestepEmbeddingOptions {
  /** Whether cosines come before sines; default true. */
  readonly flipSinToCos?: boolean;
  /** What is taken away from the number of frequencies before it divides the exponents; default 0. */
  readonly freqShift?: number;
}

/**
 * The embeddings of timesteps of GLIDE, guided-diffusion and DiT, and with options all of diffusers': from [batch], i32 or
 * f32, to [batch, dim], cos(t w_i) for i < h = floor(dim / 2), then sin(t w_i), where w_i = 10000^(-i / (h - freqShift)),
 * then a zero if dim is odd.
 */
export function timestepEmbedding(time: Tensor, dim: number, options: TimestepEmbeddingOptions = {}): Tensor {
  checkNames("timestepEmbedding", options, ["flipSinToCos", "freqShift"]);
  const { flipSinToCos = true, freqShift = 0 } = options;
  const half = Math.floor(dim / 2);
  // Rounded to f32 where PyTorch rounds, as above.
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp(Math.fround(Math.fround(Math.fround(-Math.log(10000)) * i) / (half - freqShift))),
  );
  const table = literal({ shape: [1, half], dtype: "f32", data: frequencies });
  const angles = time.convert("f32").reshape([time.size, 1]).multiply(table);
  const waves = [angles.sin(), angles.cos()];
  const embedding = concatenate(flipSinToCos ? waves.toReversed() : waves, 1);
  if (dim % 2 === 0) return embedding;
  return embedding.pad([
    [0, 0],
    [0, 1],
  ]);
}
