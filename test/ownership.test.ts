import { afterEach, describe, expect, test, vi } from "vitest";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import type { WasmBackend } from "../src/backend/wasm/wasm-backend.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { memoryDataset } from "../src/data/dataset.ts";
import { linearBetaSchedule } from "../src/diffusion/process/schedules.ts";
import { Unet } from "../src/models/unet/unet.ts";
import { Trainer } from "../src/training/trainer.ts";
import { collectUntil } from "./support/garbage.ts";

const opened: WasmBackend[] = [];
const open = async (): Promise<WasmBackend> => {
  const backend = await createWasmBackend({ threads: 2 });
  opened.push(backend);
  return backend;
};
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});

const unet = () => new Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
const diffusionOf = (timesteps: number) => new GaussianDiffusion({ betas: linearBetaSchedule(timesteps) });
const images = { batchSize: 2, imageSize: 8, seed: 1 };
const turn = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a backend that is closed", () => {
  test("ends the sampling that goes on there, and gives the weights back", async () => {
    const [backend, model, diffusion] = [await open(), unet(), diffusionOf(1000)];
    const before = await model.stateDict();
    let began = (): void => {};
    const underway = new Promise<void>((resolve) => (began = resolve));
    const sampling = diffusion.sample(model, { ...images, backend, onStep: () => began() });
    const refused = expect(sampling).rejects.toThrow("wasm: the backend is closed");
    await underway;
    await backend.close();
    await refused;
    expect(await model.stateDict()).toEqual(before);
  });

  test("ends the sampling that goes on after another one was aborted", async () => {
    const [backend, model, diffusion] = [await open(), unet(), diffusionOf(1000)];
    const abort = new AbortController();
    const sample = (signal?: AbortSignal) =>
      diffusion.sample(model, { ...images, backend, ...(signal && { signal }), onStep: () => abort.abort() });
    const other = sample();
    const ended = Promise.allSettled([other]);
    await expect(Promise.all([sample(abort.signal), other])).rejects.toThrow("aborted");
    await backend.close();
    expect(await ended).toMatchObject([{ status: "rejected", reason: { message: "wasm: the backend is closed" } }]);
  });

  test("leaves a diffusion that samples on another one from then on", async () => {
    const [model, diffusion] = [unet(), diffusionOf(3)];
    const first = await open();
    const expected = await diffusion.sample(model, { ...images, backend: first });
    await first.close();
    const drawn = await diffusion.sample(model, { ...images, backend: await open() });
    expect(drawn.data).toEqual(expected.data);
    for (const backend of opened) await backend.close();
    diffusion.dispose();
    // A rejection that nobody handles ends the process, and fails the test.
    await turn(20);
  });
});

describe("the memory of a backend", () => {
  test("is given back by a diffusion that is disposed of, and by models that are", async () => {
    const [backend, kept, diffusion] = [await open(), unet(), diffusionOf(2)];
    await diffusion.sample(kept, { ...images, backend });
    diffusion.dispose();
    await kept.stateDict();
    const before = backend.allocatedBytes;
    for (let i = 0; i < 3; i++) {
      const model = unet();
      await diffusion.sample(model, { ...images, backend });
      diffusion.dispose();
      model.dispose();
      await expect(model.stateDict()).rejects.toThrow(/^variable init_conv\.weight was disposed of$/);
    }
    await kept.stateDict();
    expect(backend.allocatedBytes).toBe(before);
    await diffusion.sample(kept, { ...images, backend });
  });

  test("holds four idle programs of a diffusion, those that were used last, until it is disposed of", async () => {
    const [backend, model, diffusion] = [await open(), unet(), diffusionOf(10)];
    // The workspace that all programs share is as large as the largest needs.
    await diffusion.sample(model, { ...images, batchSize: 5, backend });
    diffusion.dispose();
    const loads = vi.spyOn(backend, "load");
    const settled = async (): Promise<number> => {
      await model.stateDict();
      return backend.allocatedBytes;
    };
    const draw = (batchSize: number) => diffusion.sample(model, { ...images, batchSize, steps: 2, backend });
    const drawAll = async (...sizes: number[]): Promise<number> => {
      const before = loads.mock.calls.length;
      for (const batchSize of sizes) await draw(batchSize);
      // Each has a program for its steps, and a small one for what it starts from.
      return (loads.mock.calls.length - before) / 2;
    };
    const none = await settled();
    expect(await drawAll(1, 2, 3, 4)).toBe(4);
    expect(await drawAll(4, 3, 2, 1, 1, 2, 3, 4)).toBe(0);
    const four = await settled();
    expect(await drawAll(5)).toBe(1);
    expect(await drawAll(2, 3, 4, 5)).toBe(0);
    expect(await drawAll(1, 2, 3, 4)).toBe(4);
    expect(await settled()).toBe(four);
    diffusion.dispose();
    expect(await settled()).toBe(none);
  });

  test("is given back by trainers that are disposed of, with the moments and averages that they made", async () => {
    const backend = await open();
    const pictures = new Uint8Array(4 * 64).fill(100);
    const dataset = memoryDataset({ name: "gray", images: pictures, shape: [4, 8, 8, 1] });
    const next = await backend.load({ inputs: [], outputs: [], updates: [] });
    const bytes: number[] = [];
    for (let i = 0; i < 4; i++) {
      const model = unet();
      const trainer = new Trainer({
        model,
        diffusion: diffusionOf(10),
        dataset,
        batchSize: 2,
        learningRate: 1e-3,
        backend,
      });
      for await (const { step } of trainer.run({ steps: 1 })) expect(step).toBe(1);
      trainer.dispose();
      // The model is the caller's, and can be used on.
      const state = await model.stateDict();
      expect(state.size).toBeGreaterThan(0);
      model.dispose();
      await next.run([]);
      bytes.push(backend.allocatedBytes);
    }
    expect(bytes.slice(1)).toEqual([bytes[0], bytes[0], bytes[0]]);
  });

  test("is given back by models and diffusions that nobody has any more", async () => {
    const backend = await open();
    const sampleOnce = async (): Promise<void> => {
      await diffusionOf(2).sample(unet(), { ...images, backend });
    };
    await sampleOnce();
    await collectUntil(() => false, 3);
    const before = backend.allocatedBytes;
    for (let i = 0; i < 10; i++) await sampleOnce();
    expect(backend.allocatedBytes).toBeGreaterThan(before);
    expect(await collectUntil(() => backend.allocatedBytes <= before)).toBe(true);
  });
});
