import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import { contextBatch, imageContexts, imageVectors, vectorBatch } from "../src/data/conditions.ts";
import { memoryDataset } from "../src/data/dataset.ts";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { Unet } from "../src/models/unet/unet.ts";
import { UnetClassifier } from "../src/models/unet/classifier.ts";
import { classifierAccuracy } from "../src/training/classifier-accuracy.ts";
import {
  classifierFromCheckpoint,
  diffusionFromCheckpoint,
  modelFromCheckpoint,
} from "../src/checkpoint/from-checkpoint.ts";
import { Trainer } from "../src/training/trainer.ts";
import { largestDifference } from "./support/evaluate.ts";
import { Random } from "./support/random.ts";
import { SIDE, classesOf, hits, stripes } from "./support/stripes.ts";

describe("a class-conditional model", { timeout: 240_000 }, () => {
  let backend: Backend;
  let trainer: Trainer;
  const options = { dim: 16, channels: 1, dimMults: [1, 2], numClasses: 3, attentionHeads: 1, seed: 1 };
  const asked = Array.from({ length: 30 }, (_, i) => i % 3);

  beforeAll(async () => {
    backend = await createWasmBackend({ threads: 1 });
    trainer = new Trainer({
      model: new Unet(options),
      diffusion: new GaussianDiffusion({ timesteps: 100, betaSchedule: "cosine", samplingTimesteps: 20 }),
      dataset: stripes(),
      batchSize: 24,
      learningRate: 2e-3,
      emaDecay: 0.9,
      emaUpdateEvery: 1,
      condDropProb: 0.2,
      backend,
    });
    for await (const _ of trainer.run({ steps: 250 }));
  }, 240_000);
  afterAll(async () => {
    trainer.dispose();
    await backend.close();
  });

  test("learns its classes, and draws the one that is asked for, from a checkpoint too", async () => {
    const checkpoint = await trainer.checkpoint();
    expect(checkpoint.config.dataset.classNames).toEqual(["top", "bottom", "left"]);
    const model = await modelFromCheckpoint(checkpoint);
    const diffusion = diffusionFromCheckpoint(checkpoint);
    const images = await diffusion.sample(model, { classes: asked, imageSize: SIDE, seed: 3, backend });
    // Chance would get 10 of 30 right.
    expect(hits(classesOf(images.data as Float32Array), asked)).toBeGreaterThanOrEqual(27);
    diffusion.dispose();
  });

  test("draws nothing but the class under guidance", async () => {
    const diffusion = diffusionFromCheckpoint(await trainer.checkpoint());
    const options = { classes: asked, condScale: 3, rescaledPhi: 0.5, imageSize: SIDE, seed: 3, backend };
    const images = await diffusion.sample(trainer.samplingModel, options);
    expect(classesOf(images.data as Float32Array)).toEqual(asked);
    diffusion.dispose();
  });

  test("draws images of all classes where none is asked for", async () => {
    const diffusion = diffusionFromCheckpoint(await trainer.checkpoint());
    const model = trainer.samplingModel;
    const images = await diffusion.sample(model, { batchSize: 60, imageSize: SIDE, seed: 4, backend });
    const found = classesOf(images.data as Float32Array);
    for (const label of [0, 1, 2]) expect(found.filter((one) => one === label).length).toBeGreaterThan(5);
    diffusion.dispose();
  });
});

test("a trained classifier guides a model that knows no classes", { timeout: 240_000 }, async () => {
  const backend = await createWasmBackend({ threads: 1 });
  const diffusion = new GaussianDiffusion({ timesteps: 100, betaSchedule: "cosine", samplingTimesteps: 20 });
  const dataset = stripes();
  const options = { dim: 16, channels: 1, dimMults: [1, 2], attentionHeads: 1, seed: 1 };
  const settings = { diffusion, dataset, batchSize: 24, learningRate: 2e-3, emaDecay: 0.9, emaUpdateEvery: 1, backend };
  const trainer = new Trainer({ ...settings, model: new Unet(options) });
  for await (const _ of trainer.run({ steps: 250 }));
  const classifierTrainer = new Trainer({ ...settings, model: new UnetClassifier({ ...options, numClasses: 3 }) });
  for await (const _ of classifierTrainer.run({ steps: 250 }));

  const checkpoint = await classifierTrainer.checkpoint();
  const classifier = await classifierFromCheckpoint(checkpoint);
  const levels = diffusion.plan({ sampler: "ddim", timesteps: [99, 50, 0] }).steps.map(({ level }) => level);
  const shares = await classifierAccuracy(classifier, dataset, { levels, backend });
  expect(shares[2]).toBe(1);
  // Hardly any signal is left at the end.
  expect(shares[0]).toBeLessThan(0.7);
  expect(shares[1]).toBeGreaterThan(shares[0]);

  const classes = Array.from({ length: 30 }, (_, i) => i % 3);
  const draw = async (guided: object) => {
    const how = { batchSize: 30, imageSize: SIDE, seed: 3, backend };
    const images = await diffusion.sample(trainer.samplingModel, { ...how, ...guided });
    return hits(classesOf(images.data as Float32Array), classes);
  };
  expect(await draw({})).toBeLessThan(20);
  expect(await draw({ classes, classifier, classifierScale: 4 })).toBeGreaterThanOrEqual(27);

  await expect(modelFromCheckpoint(checkpoint)).rejects.toThrow("checkpoint: a classifier's, which draws no images");
  await expect(classifierFromCheckpoint(await trainer.checkpoint())).rejects.toThrow("checkpoint: not a classifier's");
  await expect(trainer.restore(checkpoint)).rejects.toThrow('model.architecture is "unetClassifier" there');
  for (const used of [trainer, classifierTrainer, diffusion]) used.dispose();
  await backend.close();
});

test("a model is trained on vectors and contexts, and draws what both ask for", { timeout: 240_000 }, async () => {
  const backend = await createWasmBackend({ threads: 1 });
  const plain = stripes();
  const { labels = [], classNames = [] } = plain;
  // A text tells which half is bright, a number how bright it is.
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const oneHot = (letter: string) => Float32Array.from(letters, (other) => (other === letter ? 1 : 0));
  const contexts = {
    dim: letters.length,
    length: 6,
    of: (index: number) => Array.from(classNames[labels[index]], oneHot),
  };
  const brightnessOf = (index: number) => ((index * 11) % 96) / 95;
  const vectors = { dim: 1, of: (index: number) => [brightnessOf(index)] };
  const read: typeof plain.read = async (indices, out) => {
    await plain.read(indices, out);
    out.forEach((byte, at) => {
      const brightness = brightnessOf(indices[Math.floor(at / SIDE ** 2)]);
      out[at] = byte >= 128 ? 128 + Math.round(120 * brightness) : byte;
    });
  };
  const trainer = new Trainer({
    model: new Unet({
      dim: 16,
      channels: 1,
      dimMults: [1, 2],
      vectorDim: 1,
      contextDim: contexts.dim,
      attentionHeads: 1,
      seed: 1,
    }),
    diffusion: new GaussianDiffusion({ timesteps: 100, betaSchedule: "cosine", samplingTimesteps: 20 }),
    dataset: { ...plain, read, conditions: [imageVectors(vectors), imageContexts(contexts)] },
    batchSize: 24,
    learningRate: 2e-3,
    emaDecay: 0.9,
    emaUpdateEvery: 1,
    backend,
  });
  for await (const _ of trainer.run({ steps: 400 }));
  const checkpoint = await trainer.checkpoint();
  expect(checkpoint.config.dataset.conditions).toEqual({ vector: [1], context: [6, 26], contextMask: [6] });
  const diffusion = diffusionFromCheckpoint(checkpoint);

  const asked = Array.from({ length: 30 }, (_, i) => i % 3);
  const drawn = async (brightness: number) => {
    const texts = contextBatch(
      asked.map((label) => Array.from(classNames[label], oneHot)),
      contexts,
    );
    const told = {
      ...texts,
      ...vectorBatch(
        asked.map(() => [brightness]),
        1,
      ),
    };
    const model = await modelFromCheckpoint(checkpoint);
    const { data } = await diffusion.sample(model, { ...told, imageSize: SIDE, seed: 3, backend });
    const bright = Array.from(data).filter((value) => value > 0);
    const mean = bright.reduce((sum, value) => sum + value, 0) / bright.length;
    return { hits: hits(classesOf(data as Float32Array), asked), brightness: (127.5 * (mean + 1) - 128) / 120 };
  };
  for (const brightness of [0.2, 0.5, 0.9]) {
    const found = await drawn(brightness);
    expect(found.hits).toBeGreaterThanOrEqual(27);
    expect(Math.abs(found.brightness - brightness)).toBeLessThan(0.1);
  }
  trainer.dispose();
  diffusion.dispose();
  await backend.close();
});

test("a stage of a cascade learns the detail that images of less resolution lack", { timeout: 240_000 }, async () => {
  const [side, detail] = [8, 40];
  const random = new Random(7);
  // Blocks of 2 x 2 pixels, each with a brighter and a darker column, which their means do not show.
  const blocks = random
    .array([500, side / 2, side / 2])
    .data.map((value) => 128 + Math.max(-68, Math.min(68, 40 * value)));
  const images = Uint8Array.from({ length: 4 * blocks.length }, (_, at) => {
    const [row, column] = [Math.floor(at / side), at % side];
    return blocks[(row >> 1) * (side / 2) + (column >> 1)] + (column % 2 === 0 ? detail : -detail);
  });
  const backend = await createWasmBackend({ threads: 1 });
  const schedule = { timesteps: 100, betaSchedule: "cosine", samplingTimesteps: 20 } as const;
  const diffusion = new GaussianDiffusion({ ...schedule, objective: "predX0" });
  const options = {
    model: new Unet({ dim: 16, channels: 1, dimMults: [1, 2], attentionHeads: 1, lowresCond: true, seed: 1 }),
    diffusion,
    dataset: memoryDataset({ name: "blocks", images, shape: [500, side, side, 1] }),
    batchSize: 24,
    learningRate: 2e-3,
    emaDecay: 0.9,
    emaUpdateEvery: 1,
    backend,
  };
  expect(() => new Trainer({ ...options, lowresFactor: 3 })).toThrow(
    "Trainer: height and width must be divisible by lowresFactor, 3, those of blocks are 8 x 8",
  );
  const trainer = new Trainer({ ...options, lowresFactor: 2 });
  for await (const _ of trainer.run({ steps: 400 }));
  const model = await modelFromCheckpoint(await trainer.checkpoint());

  // Others than those that it was trained on.
  const half = side / 2;
  const values = random.array([16, half, half, 1]);
  const lowresCondImg = { ...values, data: values.data.map((value) => Math.max(-0.5, Math.min(0.5, 0.3 * value))) };
  const errorsAt = async (lowresSampleNoiseLevel: number): Promise<readonly [ofMeans: number, ofDetail: number]> => {
    const given = { lowresCondImg, lowresSampleNoiseLevel, imageSize: side, seed: 2, backend };
    const { data } = await diffusion.sample(model, given);
    const errors = Array.from(lowresCondImg.data, (mean, i) => {
      const first = 2 * side * Math.floor(i / half) + 2 * (i % half);
      const [a, b, c, d] = [0, side, 1, side + 1].map((offset) => data[first + offset]);
      return [(a + b + c + d) / 4 - mean, (a + b - c - d) / 2 - (2 * detail) / 127.5];
    });
    const rms = (part: number) => Math.sqrt(errors.reduce((sum, pair) => sum + pair[part] ** 2, 0) / errors.length);
    return [rms(0), rms(1)];
  };
  const [seen, hidden] = [await errorsAt(0), await errorsAt(1)];
  expect(seen[0]).toBeLessThan(0.12);
  for (const [, ofDetail] of [seen, hidden]) expect(ofDetail).toBeLessThan(0.1);
  // What noise hides is drawn anew.
  expect(hidden[0]).toBeGreaterThan(0.3);
  trainer.dispose();
  diffusion.dispose();
  await backend.close();
});

test("vectors and contexts condition samples alike on wasm and the reference", { timeout: 240_000 }, async () => {
  const backends = [ReferenceBackend.create(), await createWasmBackend({ threads: 1 })];
  const model = new Unet({ dim: 8, channels: 1, dimMults: [1], vectorDim: 2, contextDim: 3, attentionHeads: 1 });
  const random = new Random(2);
  const told = { vector: random.array([2, 2]), context: random.array([2, 4, 3]) };
  const contextMask = random.array([2, 4], "bool");
  const options = { batchSize: 2, imageSize: 4, steps: 3, seed: 1, sampler: "ddim", condScale: 2 } as const;
  const draw = async (backend: Backend, more: object): Promise<ArrayLike<number>> => {
    const diffusion = new GaussianDiffusion({ timesteps: 10, clipDenoised: false });
    const { data } = await diffusion.sample(model, { ...options, ...told, ...more, backend });
    diffusion.dispose();
    return data;
  };
  const [reference, wasm] = [await draw(backends[0], { contextMask }), await draw(backends[1], { contextMask })];
  expect(largestDifference(wasm, reference)).toBeLessThan(1e-4);
  const unmasked = await draw(backends[1], {});
  expect(largestDifference(unmasked, wasm)).toBeGreaterThan(1e-4);
  const context = random.array([2, 4, 2]);
  await expect(draw(backends[1], { context })).rejects.toThrow("sample: context must be f32 [2,4,3], got f32 [2,4,2]");
  for (const backend of backends) await backend.close();
});
