import { fileURLToPath } from "node:url";
import type { Browser, Worker } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as z from "zod/mini";
import type { Backend } from "../../src/backend/backend.ts";
import type { WorkerLike } from "../../src/backend/common/channel.ts";
import { RemoteBackend } from "../../src/backend/remote/remote-backend.ts";
import { withSpareDevice } from "../../src/backend/spare-device.ts";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import type { RunStore } from "../../src/checkpoint/run-store.ts";
import { memoryDataset } from "../../src/data/dataset.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import { modelOptions } from "../../src/models/model.ts";
import type { DiffusionModel } from "../../src/models/model.ts";
import { registerModel } from "../../src/models/registry.ts";
import { Conv2d } from "../../src/nn/conv2d.ts";
import { Random } from "../../src/nn/init.ts";
import { Module } from "../../src/nn/module/module.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { Trainer } from "../../src/training/trainer.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { workerInPage } from "./page-worker.ts";
import { Site } from "./site.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const tinyOptions = z.strictObject({ ...modelOptions });

/** One convolution: few kernels to compile. */
class Tiny extends Module implements DiffusionModel {
  readonly architecture = "tiny";
  readonly predicts = "images";
  readonly conditions = {};
  readonly channels = 1;
  readonly numClasses = 0;
  readonly options = tinyOptions.parse({ channels: 1 });
  readonly only = new Conv2d(1, 1, 3, { padding: 1, random: new Random(0) });

  constructor() {
    super();
    this.labelParameters();
  }

  forward(x: Tensor): Tensor {
    return this.only.forward(x);
  }
}

registerModel({ name: "tiny", title: "one convolution", options: tinyOptions, create: () => new Tiny() });

/** Keeps the last checkpoint, and the loss of every step. */
class MemoryStore implements RunStore {
  readonly losses = new Map<number, number>();
  #last: Checkpoint | undefined;

  async latest() {
    return this.#last && { checkpoint: this.#last, path: "memory" };
  }

  async begin() {}

  async record({ step, loss }: { readonly step: number; readonly loss: number }) {
    this.losses.set(step, loss);
  }

  async save(checkpoint: Checkpoint) {
    this.#last = checkpoint;
    return "memory";
  }
}

async function train(backend: Backend, runDirectory: RunStore, afterStep: (step: number) => Promise<void>) {
  const trainer = new Trainer({
    model: new Tiny(),
    diffusion: new GaussianDiffusion({ betas: linearBetaSchedule(10) }),
    dataset: memoryDataset({
      name: "ramps",
      images: Uint8Array.from({ length: 512 }, (_, i) => (i * 37) % 256),
      shape: [8, 8, 8, 1],
    }),
    batchSize: 4,
    learningRate: 1e-2,
    emaDecay: 0,
    runDirectory,
    saveEvery: 2,
    backend,
  });
  const startStep = await trainer.prepare();
  for await (const { step } of trainer.run({ steps: 6 })) await afterStep(step);
  return startStep;
}

/** Has a worker keep the devices that it opens, so that they can be lost. */
async function keepDevices(worker: Worker): Promise<void> {
  await worker.evaluate(() => {
    const { prototype } = GPUAdapter;
    const request: (this: GPUAdapter, ...given: [GPUDeviceDescriptor?]) => Promise<GPUDevice> = Reflect.get(
      prototype,
      "requestDevice",
    );
    prototype.requestDevice = async function (...given) {
      const device = await request.apply(this, given);
      Object.assign(globalThis, { device });
      return device;
    };
  });
}

const chromium = findChromium();

if (chromium === undefined) {
  test("a page whose GPU is lost", ({ skip }) => skip("no Chromium on the PATH, and no UNNOISE_CHROMIUM"));
} else {
  let site: Site;
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    site = await Site.build(fileURLToPath(new URL("bridge", import.meta.url)));
    url = await site.serve();
    browser = await launchChromium(chromium);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test("a page whose GPU is lost goes on from the last checkpoint, as if nothing had been", async () => {
    const workers: Worker[] = [];
    const open = async (): Promise<RemoteBackend> => {
      const started = new Promise<Worker>((resolve) => {
        opened.push(workerInPage(browser, url, (page) => void page.on("worker", resolve)));
      });
      const worker = await started;
      await keepDevices(worker);
      workers.push(worker);
      return RemoteBackend.open(await opened[opened.length - 1], { device: "webgpu" });
    };
    const opened: Promise<WorkerLike>[] = [];
    const lines: string[] = [];
    const store = new MemoryStore();
    const startStep = await withSpareDevice({ open, log: (line) => lines.push(line) }, (backend) =>
      train(backend, store, async (step) => {
        if (step !== 3 || workers.length > 1) return;
        await workers[0].evaluate(() => (globalThis as unknown as { device: GPUDevice }).device.destroy());
      }),
    );
    expect(startStep).toBe(2);
    expect(lines).toEqual([expect.stringMatching(/^webgpu: the device was lost: .*, from the last checkpoint$/)]);

    const undisturbed = new MemoryStore();
    await withSpareDevice({ open }, (backend) => train(backend, undisturbed, async () => {}));
    expect([...store.losses]).toEqual([...undisturbed.losses]);
  });
}
