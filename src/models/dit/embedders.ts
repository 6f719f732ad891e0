import type { Tensor } from "../../tensor/tensor.ts";
import { SiLU } from "../../nn/activations.ts";
import { Conv2d } from "../../nn/conv2d.ts";
import { Embedding } from "../../nn/embedding.ts";
import { normal, xavierUniform, zeros } from "../../nn/init.ts";
import type { Random } from "../../nn/init.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module/module.ts";
import { timestepEmbedding } from "../../nn/position-embeddings.ts";
import { Sequential } from "../../nn/module/sequential.ts";
import { classRows } from "../conditions/class-rows.ts";
import type { Conditions } from "../conditions/declaration.ts";

/** Channels of the sines and cosines of a timestep. */
const FREQUENCIES = 256;

/** Patches of images [batch, height, width, channels] to tokens [batch, patches, dim], row by row. */
export class PatchEmbedder extends Module {
  readonly proj: Conv2d;

  constructor(patchSize: number, channels: number, dim: number, random: Random) {
    super();
    const inits = { weightInit: xavierUniform, biasInit: zeros, random };
    this.proj = new Conv2d(channels, dim, patchSize, { stride: patchSize, ...inits });
  }

  forward(x: Tensor): Tensor {
    const patches = this.proj.forward(x);
    const [batch, rows, columns, dim] = patches.shape;
    return patches.reshape([batch, rows * columns, dim]);
  }
}

/** Timesteps [batch] to [batch, dim]. */
export class TimestepEmbedder extends Module {
  readonly mlp: Sequential;

  constructor(dim: number, random: Random) {
    super();
    const inits = { weightInit: normal(0.02), biasInit: zeros, random };
    this.mlp = new Sequential([new Linear(FREQUENCIES, dim, inits), new SiLU(), new Linear(dim, dim, inits)]);
  }

  forward(time: Tensor): Tensor {
    return this.mlp.forward(timestepEmbedding(time, FREQUENCIES));
  }
}

/** The images' classes to [batch, dim], or [1, dim] where no image is told its class. */
export class LabelEmbedder extends Module {
  readonly embeddingTable: Embedding;
  readonly numClasses: number;

  /** @param nullClass whether a row after those of the classes stands for none */
  constructor(numClasses: number, nullClass: boolean, dim: number, random: Random) {
    super();
    this.numClasses = numClasses;
    this.embeddingTable = new Embedding(numClasses + Number(nullClass), dim, { weightInit: normal(0.02), random });
  }

  forward(conditions: Conditions): Tensor {
    return classRows("DiT", this.embeddingTable, this.numClasses, conditions);
  }
}
