import { concatenate, valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";
import { SiLU } from "../../nn/activations.ts";
import { Embedding } from "../../nn/embedding.ts";
import { frozen, normal } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { timestepEmbedding } from "../../nn/position-embeddings.ts";
import type { CompleteUNet2DModelOptions } from "./options.ts";

/** Numbers [batch], i32 or f32, to [batch, {@link width}]. */
export interface TimeProjection extends Module {
  readonly width: number;
  forward(time: Tensor): Tensor;
}

export function timeProjection(options: CompleteUNet2DModelOptions, random: Random): TimeProjection {
  const { timeEmbeddingType, blockOutChannels, numTrainTimesteps } = options;
  const [width] = blockOutChannels;
  if (timeEmbeddingType === "fourier") return new FourierProjection(width, random);
  if (timeEmbeddingType === "learned") return new LearnedProjection(numTrainTimesteps ?? 1, width, random);
  return new SineProjection(width, options);
}

/** Sines and cosines of the timestep. */
class SineProjection extends Module implements TimeProjection {
  readonly width: number;
  readonly #options: { readonly flipSinToCos: boolean; readonly freqShift: number };

  constructor(width: number, { flipSinToCos, freqShift }: CompleteUNet2DModelOptions) {
    super();
    this.width = width;
    this.#options = { flipSinToCos, freqShift };
  }

  forward(time: Tensor): Tensor {
    return timestepEmbedding(time, this.width, this.#options);
  }
}

/**
 * Sines, then cosines, of 2 pi log(t) w with random frequencies w that are kept and not trained (Tancik et al. 2020,
 * 2006.10739; Song et al. 2021, 2011.13456). They are normal with a deviation of 16.
 */
class FourierProjection extends Module implements TimeProjection {
  readonly width: number;
  readonly weight: Variable;

  constructor(frequencies: number, random: Random) {
    super();
    this.width = 2 * frequencies;
    this.weight = frozen(normal(16))("weight", [frequencies], random);
  }

  forward(time: Tensor): Tensor {
    const angles = time
      .convert("f32")
      .log()
      .reshape([time.size, 1])
      .multiply(valueOf(this.weight))
      .multiply(2)
      .multiply(Math.PI);
    return concatenate([angles.sin(), angles.cos()], 1);
  }
}

/** A row for each timestep from 0; between two of them, what lies between their rows. */
class LearnedProjection extends Embedding implements TimeProjection {
  readonly width: number;

  constructor(timesteps: number, width: number, random: Random) {
    super(timesteps, width, { random });
    this.width = width;
  }

  override forward(time: Tensor): Tensor {
    if (time.dtype !== "f32") return super.forward(time);
    const last = this.weight.shape[0] - 1;
    const below = time.floor().clamp(0, last);
    const rows = (t: Tensor): Tensor => super.forward(t.convert("i32"));
    const share = time.subtract(below).reshape([time.size, 1]);
    const [low, high] = [rows(below), rows(below.add(1).minimum(last))];
    return low.add(high.subtract(low).multiply(share));
  }
}

/** linear_2(silu(linear_1(x))), [batch, inChannels] to [batch, dim]. */
export class TimestepEmbedding extends Module {
  readonly linear1: Linear;
  readonly act = new SiLU();
  readonly linear2: Linear;

  constructor(inChannels: number, dim: number, random: Random) {
    super();
    this.linear1 = new Linear(inChannels, dim, { random });
    this.linear2 = new Linear(dim, dim, { random });
  }

  override parts(): [string, unknown][] {
    return [
      ["linear_1", this.linear1],
      ["linear_2", this.linear2],
    ];
  }

  forward(x: Tensor): Tensor {
    return this.linear2.forward(this.act.forward(this.linear1.forward(x)));
  }
}
