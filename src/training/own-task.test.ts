import { expect, test } from "vitest";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import type { ConditionSource } from "../data/conditions.ts";
import { memoryDataset } from "../data/dataset.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { checkConditions } from "../models/conditions/declaration.ts";
import type { ConditionDeclarations, Conditions } from "../models/conditions/declaration.ts";
import type { DiffusionModel } from "../models/model.ts";
import { registerModel } from "../models/registry.ts";
import { check, options } from "../config/rules.ts";
import { modelOptions } from "../models/model.ts";
import { Conv2d } from "../nn/conv2d.ts";
import { Random } from "../nn/init.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module/module.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { TrainingTask } from "./task.ts";
import { Trainer } from "./trainer.ts";

const rules = options(modelOptions);

/** A network that is told how bright its images are: a condition that comes with no other network. */
class BrightnessNet extends Module implements DiffusionModel {
  readonly architecture = "brightness";
  readonly predicts = "images";
  readonly channels = 1;
  readonly numClasses = 0;
  readonly options = check(rules, { channels: 1 }, "BrightnessNet");
  readonly conditions: ConditionDeclarations = {
    brightness: {
      shape: [1],
      dtype: "f32",
      embedded: "added to the time's embedding",
      nullable: true,
      source: "dataset",
    },
  };
  readonly conv = new Conv2d(1, 1, 3, { padding: 1, random: new Random(1) });
  readonly embed = new Linear(1, 1, { random: new Random(2) });

  override parts(): [string, unknown][] {
    return [
      ["conv", this.conv],
      ["embed", this.embed],
    ];
  }

  forward(x: Tensor, _time: Tensor, conditions: Conditions = {}): Tensor {
    checkConditions("BrightnessNet", this.conditions, conditions, x.shape);
    const { brightness, keepMask } = conditions;
    const y = this.conv.forward(x);
    if (!brightness) return y;
    const shift = this.embed.forward(brightness);
    const kept = keepMask ? keepMask.reshape([x.shape[0], 1]).select(shift, 0) : shift;
    return y.add(kept.reshape([x.shape[0], 1, 1, 1]));
  }
}
registerModel({ name: "brightness", title: "brightness network", options: rules, create: () => new BrightnessNet() });

const images = Uint8Array.from({ length: 8 * 16 }, (_, i) => (i >> 4) * 30);
const brightness: ConditionSource = {
  shapes: { brightness: [1] },
  batch: async (indices) => ({
    brightness: ndarray(
      Float32Array.from(indices, (i) => i / 8),
      [indices.length, 1],
    ),
  }),
};
const plain = memoryDataset({ name: "steps", images, shape: [8, 4, 4, 1] });
const dataset = { ...plain, conditions: [brightness] };
const backend = ReferenceBackend.create();
const diffusion = new GaussianDiffusion({ timesteps: 10 });

test("a network's own condition goes from the dataset to its training, and from a call to its samples", async () => {
  const common = { diffusion, batchSize: 4, learningRate: 1e-2, backend };
  expect(() => new Trainer({ ...common, model: new BrightnessNet(), dataset: plain })).toThrow(
    "Trainer: the model takes brightness, the images of steps have none",
  );
  const trainer = new Trainer({ ...common, model: new BrightnessNet(), dataset });
  for await (const _ of trainer.run({ steps: 3 }));
  const before = new BrightnessNet();
  expect((await trainer.model.stateDict()).get("embed.weight")).not.toEqual(
    (await before.stateDict()).get("embed.weight"),
  );
  expect(trainer.config().dataset.conditions).toEqual({ brightness: [1] });
  expect(trainer.config().model).toMatchObject({ architecture: "brightness" });

  const draw = (value: number, more: object = {}) =>
    diffusion.sample(trainer.samplingModel, {
      conditions: { brightness: ndarray([value], [1, 1]) },
      imageSize: 4,
      seed: 1,
      backend,
      ...more,
    });
  const [dark, bright, guided] = [await draw(0), await draw(5), await draw(5, { condScale: 2 })];
  expect(bright.data).not.toEqual(dark.data);
  expect(guided.data).not.toEqual(bright.data);
  await expect(draw(0, { conditions: { brightness: ndarray([1, 2], [1, 2]) } })).rejects.toThrow(
    "sample: brightness must be f32 [1,1], got f32 [1,2]",
  );
  await expect(draw(0, { conditions: { colour: ndarray([1], [1, 1]) } })).rejects.toThrow(
    "sample: got colour, which the model was not made for: it takes brightness",
  );
});

test("a trainer trains for a task of one's own", async () => {
  const model = new BrightnessNet();
  /** To give images back as they are, brighter ones with more weight. */
  const copying: TrainingTask = {
    inputs: { brightness: { shape: [1], dtype: "f32" } },
    variants: ["plain"],
    variantOf: () => "plain",
    loss({ images: clean, inputs: { brightness: weights } }) {
      const errors = model.conv.forward(clean).subtract(clean).square().mean([1, 2, 3]);
      return { loss: errors.multiply(weights.reshape([clean.shape[0]])).mean() };
    },
  };
  const trainer = new Trainer({ model, diffusion, dataset, task: copying, batchSize: 8, learningRate: 3e-2, backend });
  const losses = [];
  for await (const { loss } of trainer.run({ steps: 40 })) losses.push(loss);
  expect(losses[39]).toBeLessThan(losses[0] / 4);
});
