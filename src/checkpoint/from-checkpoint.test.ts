import { describe, expect, test } from "vitest";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { memoryDataset } from "../data/dataset.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { newModel } from "../models/registry.ts";
import { Trainer } from "../training/trainer.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { classifierFromCheckpoint, modelFromCheckpoint } from "./from-checkpoint.ts";

const small = { dim: 4, channels: 1, dimMults: [1], resnetBlockGroups: 2, attentionHeads: 1, attentionDimHead: 4 };

async function checkpointOf(architecture: string, options: object): Promise<Checkpoint> {
  const labels = [0, 1, 0, 1];
  const dataset = memoryDataset({ name: "things", images: new Uint8Array(64), shape: [4, 4, 4, 1], labels });
  return new Trainer({
    model: newModel(architecture, { ...small, ...options }),
    diffusion: new GaussianDiffusion({ timesteps: 4 }),
    dataset,
    batchSize: 2,
    learningRate: 1e-3,
    backend: ReferenceBackend.create(),
  }).checkpoint();
}

describe("the network of a checkpoint", () => {
  test("is made again of the architecture that the file names, with its weights", async () => {
    const checkpoint = await checkpointOf("unet", { seed: 5, weightStandardization: "printed" });
    const model = await modelFromCheckpoint(checkpoint);
    expect(model.architecture).toBe("unet");
    expect(model.options).toMatchObject({ weightStandardization: "printed" });
    expect(await model.stateDict()).toEqual(checkpoint.ema);
    expect(await (await modelFromCheckpoint(checkpoint, { ema: false })).stateDict()).toEqual(checkpoint.model);
    await expect(classifierFromCheckpoint(checkpoint)).rejects.toThrow("checkpoint: not a classifier's");
    const other = await checkpointOf("unetClassifier", { numClasses: 2 });
    expect((await classifierFromCheckpoint(other)).numClasses).toBe(2);
    await expect(modelFromCheckpoint(other)).rejects.toThrow("checkpoint: a classifier's");
  });

  test.each([{ dim: 4096, dimMults: [64, 64, 64, 64] }, { numClasses: 2 ** 31 }, { contextDim: 2 ** 24 }])(
    "is not built where its tensors are not those of %o",
    async (claim) => {
      const checkpoint = await checkpointOf("unet", {});
      const config = { ...checkpoint.config, model: { ...checkpoint.config.model, initDim: 4, ...claim } };
      const before = process.memoryUsage().arrayBuffers;
      await expect(modelFromCheckpoint({ ...checkpoint, config })).rejects.toThrow(/^checkpoint: [^\n]*$/);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
    },
  );
});
