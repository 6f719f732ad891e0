// A network of your own, registered so that it is trained, kept and read as the others are:
//   node_modules/.bin/node --conditions unnoise-source examples/own-network.ts
import * as z from "zod/mini";
import { Conv2d, GaussianDiffusion, Linear, Module, Random, Trainer, encodeCheckpoint, fashionMnist } from "unnoise";
import { decodeCheckpoint, modelFromCheckpoint, modelOptions, registerModel, silu, timestepEmbedding } from "unnoise";
import type { DiffusionModel, ModelOptions, Tensor } from "unnoise";

const plainOptions = z.strictObject({ ...modelOptions, width: z.int().check(z.minimum(1)) });

/** Convolutions one after the other, told the time in between. */
class Plain extends Module implements DiffusionModel {
  readonly architecture = "plain";
  readonly predicts = "images";
  readonly conditions = {};
  readonly channels: number;
  readonly numClasses = 0;
  readonly options: z.output<typeof plainOptions>;
  readonly first: Conv2d;
  readonly time: Linear;
  readonly second: Conv2d;
  readonly last: Conv2d;

  constructor(given: z.input<typeof plainOptions>) {
    super();
    this.options = plainOptions.parse(given);
    const { channels, width, outDim = channels, seed } = this.options;
    const random = new Random(seed);
    this.channels = channels;
    this.first = new Conv2d(channels, width, 3, { padding: 1, random });
    this.time = new Linear(32, width, { random });
    this.second = new Conv2d(width, width, 3, { padding: 1, random });
    this.last = new Conv2d(width, outDim, 3, { padding: 1, random });
    this.labelParameters();
  }

  forward(x: Tensor, time: Tensor): Tensor {
    const told = this.time.forward(timestepEmbedding(time, 32)).reshape([x.shape[0], 1, 1, -1]);
    return this.last.forward(silu(this.second.forward(silu(this.first.forward(x).add(told)))));
  }
}

registerModel<ModelOptions & { width: number }>({
  name: "plain",
  title: "plain network",
  options: plainOptions,
  create: (options) => new Plain(options),
});

const trainer = new Trainer({
  model: new Plain({ channels: 1, width: 32 }),
  diffusion: new GaussianDiffusion({ timesteps: 1000, betaSchedule: "cosine" }),
  dataset: await fashionMnist(),
  batchSize: 32,
  learningRate: 1e-3,
});
for await (const { step, loss } of trainer.run({ steps: 500 })) if (step % 100 === 0) console.log(step, loss);
const file = await encodeCheckpoint(await trainer.checkpoint());
const again = await modelFromCheckpoint(await decodeCheckpoint(file, "checkpoint"));
console.log(`${again.architecture} of ${again.parameterCount()} parameters, read from its checkpoint`);
