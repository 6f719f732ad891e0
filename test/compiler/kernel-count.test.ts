import { expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { compileGraph } from "../../src/compiler/compiler.ts";
import { wasmTarget } from "../../src/backend/wasm/program/wasm-target.ts";
import { memoryDataset } from "../../src/data/dataset.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import { Unet } from "../../src/models/unet/unet.ts";
import type { Graph } from "../../src/tensor/graph.ts";
import { Trainer } from "../../src/training/trainer.ts";

/** The graph of the step that the article's recipe trains by: Algorithm 1 with Adam, of 128 images of 28 x 28. */
async function articleStep(): Promise<Graph> {
  const graphs: Graph[] = [];
  const stop = new Error("only the graph is wanted");
  const backend: Backend = {
    name: "reference",
    description: "remembers graphs",
    precision: "f32",
    isClosed: false,
    async load(graph) {
      graphs.push(graph);
      throw stop;
    },
    exchange: async () => {},
    close: async () => {},
  };
  const trainer = new Trainer({
    backend,
    model: new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] }),
    diffusion: new GaussianDiffusion({ betas: linearBetaSchedule(300), lossType: "huber" }),
    dataset: memoryDataset({ name: "black", images: new Uint8Array(128 * 28 * 28), shape: [128, 28, 28, 1] }),
    batchSize: 128,
    learningRate: 1e-3,
    emaDecay: 0,
  });
  await expect(trainer.run({ steps: 1 }).next()).rejects.toBe(stop);
  return graphs[0];
}

// A kernel more is a fusion lost: memory traffic that no other test sees. One less is to be noted here.
test("the article's training step takes as many kernels as it did", async () => {
  const { kernels } = compileGraph(await articleStep(), wasmTarget);
  const counts: Record<string, number> = {};
  for (const { kind } of kernels) counts[kind] = (counts[kind] ?? 0) + 1;
  expect(counts).toEqual({ convolution: 68, dot: 163, filterGradient: 34, map: 189, reduce: 336 });
});
