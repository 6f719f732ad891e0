import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../src/checkpoint/checkpoint.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../src/checkpoint/from-checkpoint.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { newModel } from "../src/models/registry.ts";
import { parseSafetensors, serializeSafetensors } from "../src/io/safetensors/safetensors.ts";
import { Trainer } from "../src/training/trainer.ts";
import { SIDE, classesOf, hits, stripes } from "./support/stripes.ts";

const networks = [
  {
    architecture: "adm",
    steps: 150,
    own: { numChannels: 16, numResBlocks: 1, channelMult: [1, 2], normGroups: 8, numHeadChannels: 16 },
  },
  { architecture: "dit", steps: 600, own: { hiddenSize: 32, depth: 3, numHeads: 2, patchSize: 1 } },
] as const;

describe.each(networks)("$architecture with classes and a learned variance", ({ architecture, steps, own }) => {
  let backend: Backend;
  let trainer: Trainer;
  const losses: number[] = [];
  const asked = Array.from({ length: 30 }, (_, i) => i % 3);

  beforeAll(async () => {
    backend = await createWasmBackend({ threads: 1 });
    trainer = new Trainer({
      model: newModel(architecture, { ...own, channels: 1, outDim: 2, numClasses: 3, seed: 1 }),
      diffusion: new GaussianDiffusion({ timesteps: 100, betaSchedule: "cosine", varianceType: "learnedRange" }),
      dataset: stripes(),
      batchSize: 24,
      learningRate: 2e-3,
      emaDecay: 0.9,
      emaUpdateEvery: 1,
      condDropProb: 0.2,
      backend,
    });
    for await (const { loss } of trainer.run({ steps })) losses.push(loss);
  }, 240_000);
  afterAll(async () => {
    trainer.dispose();
    await backend.close();
  });

  test("learns", () => {
    const mean = (values: readonly number[]) => values.reduce((sum, loss) => sum + loss, 0) / values.length;
    // Both start by predicting nothing; the mean square of the noise is 1.
    expect(losses[0]).toBeGreaterThan(0.9);
    expect(mean(losses.slice(-50))).toBeLessThan(losses[0] / 3);
  });

  test("draws the classes that are asked for, from a checkpoint's bytes too", { timeout: 120_000 }, async () => {
    const { tensors, metadata } = await encodeCheckpoint(await trainer.checkpoint());
    const checkpoint = await decodeCheckpoint(parseSafetensors(serializeSafetensors(tensors, metadata)), "bytes");
    const model = await modelFromCheckpoint(checkpoint);
    expect(model.architecture).toBe(architecture);
    expect(model.options).toEqual(trainer.model.options);
    const diffusion = diffusionFromCheckpoint(checkpoint);
    // All timesteps with ddpm, whose noise is the learned variance's.
    const draw = async (options: object) => {
      const { data } = await diffusion.sample(model, { ...options, imageSize: SIDE, seed: 3, backend });
      return classesOf(data as Float32Array);
    };
    expect(hits(await draw({ classes: asked }), asked)).toBeGreaterThanOrEqual(27);
    expect(hits(await draw({ classes: asked, condScale: 3 }), asked)).toBeGreaterThanOrEqual(29);
    const untold = await draw({ batchSize: 90 });
    for (const label of [0, 1, 2]) expect(untold.filter((one) => one === label).length).toBeGreaterThan(5);
    diffusion.dispose();
  });
});
