import { expect, test } from "vitest";
import type { Backend } from "../backend/backend.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { memoryDataset } from "../data/dataset.ts";
import { Unet } from "../models/unet/unet.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { Trainer } from "../training/trainer.ts";

/** The reference, which takes itself for a device of half precision: all but the numbers is as on one. */
function scaled(): Backend {
  const backend = ReferenceBackend.create();
  return {
    name: backend.name,
    description: backend.description,
    precision: "f16",
    isClosed: false,
    load: (graph) => backend.load(graph),
    exchange: (...given) => backend.exchange(...given),
    close: () => backend.close(),
  };
}

const images = Uint8Array.from({ length: 8 * 16 }, (_, i) => (i * 37) % 256);
const dataset = memoryDataset({ name: "ramps", images, shape: [8, 4, 4, 1] });

const newTrainer = (backend: Backend, options: { maxGradNorm?: number; gradientAccumulateEvery?: number } = {}) =>
  new Trainer({
    model: new Unet({
      dim: 4,
      channels: 1,
      dimMults: [1],
      resnetBlockGroups: 2,
      attentionHeads: 1,
      attentionDimHead: 4,
    }),
    diffusion: new GaussianDiffusion({ timesteps: 10 }),
    dataset,
    batchSize: 2,
    learningRate: 1e-2,
    backend,
    ...options,
  });

async function train(trainer: Trainer, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of trainer.run({ steps })) losses.push(loss);
  return losses;
}

const scaleOf = ({ optimizer }: Checkpoint) =>
  ["loss_scale", "loss_scale.growth_tracker"].map((name) => optimizer.get(name)?.data[0]);

const withScale = (checkpoint: Checkpoint, scale: number, growthTracker: number): Checkpoint => ({
  ...checkpoint,
  optimizer: new Map([
    ...checkpoint.optimizer,
    ["loss_scale", ndarray([scale], [])],
    ["loss_scale.growth_tracker", ndarray([growthTracker], [])],
  ]),
});

/** Everything that a step changes but the loss scale. */
const valuesOf = ({ model, ema, optimizer }: Checkpoint) =>
  [...model, ...(ema ?? []), ...optimizer]
    .filter(([name]) => !name.startsWith("loss_scale"))
    .map(([name, { data }]) => [name, [...data]] as const);

test.each([{}, { maxGradNorm: 0.1 }, { gradientAccumulateEvery: 2 }])(
  "a power of two that scales the loss changes no bit of training with %o",
  async (options) => {
    const [plain, other] = [newTrainer(ReferenceBackend.create(), options), newTrainer(scaled(), options)];
    expect(await train(other, 3)).toEqual(await train(plain, 3));
    const checkpoint = await other.checkpoint();
    expect(valuesOf(checkpoint)).toEqual(valuesOf(await plain.checkpoint()));
    expect(scaleOf(checkpoint)).toEqual([2 ** 16, 3]);
  },
);

test.each([{}, { maxGradNorm: 0.1 }, { gradientAccumulateEvery: 2 }])(
  "a step whose gradients overflow changes nothing but the scale, which is halved, with %o",
  async (options) => {
    const trainer = newTrainer(scaled(), options);
    await train(trainer, 1);
    // Such a scale times the gradients of the loss is beyond any float.
    const before = withScale(await trainer.checkpoint(), 2 ** 126, 7);
    await trainer.restore(before);
    const [loss] = await train(trainer, 2);
    const after = await trainer.checkpoint();
    expect(loss).toBeGreaterThan(0);
    expect(scaleOf(after)).toEqual([2 ** 125, 0]);
    expect(valuesOf(after)).toEqual(valuesOf(before));
  },
);

test("the scale doubles after 2000 steps without an overflow, and is kept by checkpoints", async () => {
  const trainer = newTrainer(scaled());
  await train(trainer, 1);
  await trainer.restore(withScale(await trainer.checkpoint(), 2 ** 10, 1998));
  await train(trainer, 2);
  expect(scaleOf(await trainer.checkpoint())).toEqual([2 ** 10, 1999]);
  await train(trainer, 3);
  expect(scaleOf(await trainer.checkpoint())).toEqual([2 ** 11, 0]);
});

test("a run whose gradients have overflowed down to the least scale has diverged", async () => {
  const trainer = newTrainer(scaled());
  await train(trainer, 1);
  await trainer.restore(withScale(await trainer.checkpoint(), 2 ** -24, 0));
  await expect(trainer.checkpoint()).rejects.toThrow(
    /^training diverged at step 1: the gradients are no longer finite/,
  );
});

test("a run goes on in another precision", async () => {
  const half = newTrainer(scaled());
  await train(half, 1);
  const single = newTrainer(ReferenceBackend.create());
  await single.restore(withScale(await half.checkpoint(), 2 ** 20, 5));
  await train(single, 2);
  const checkpoint = await single.checkpoint();
  expect(scaleOf(checkpoint)).toEqual([undefined, undefined]);
  await half.restore(checkpoint);
  expect(scaleOf(await half.checkpoint())).toEqual([2 ** 16, 0]);
});
