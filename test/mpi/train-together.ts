// Trains a small network in the processes that mpirun has started, or alone. What goes wrong, and where, is the second word.
import { existsSync } from "node:fs";
import { WasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import * as platform from "../../src/backend/wasm/runtime/platform.node.ts";
import { RunDirectory } from "../../src/checkpoint/run-directory.node.ts";
import { programCache } from "../../src/cli/caches/program-cache.ts";
import { memoryDataset } from "../../src/data/dataset.ts";
import type { ImageDataset } from "../../src/data/dataset.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { Unet } from "../../src/models/unet/unet.ts";
import { alone } from "../../src/training/collective/collective.ts";
import { MpiCollective } from "../../src/training/collective/mpi/mpi.node.ts";
import { Trainer } from "../../src/training/trainer.ts";

const [path, fault = "none"] = process.argv.slice(2);
const STEPS = 20;
/** The step in which something goes wrong, once. */
const FAULTY = 13;

const mpi = fault === "alone" ? undefined : await MpiCollective.open({ watchdogSeconds: fault === "hang" ? 3 : 60 });
const collective = mpi ?? alone;

const images = Uint8Array.from({ length: 24 * 64 }, (_, i) => ((i % 8) * 23 + (i >> 6) * 31 + ((i * i) % 17)) % 256);
const labels = Int32Array.from({ length: 24 }, (_, i) => i % 3);
const whole = memoryDataset({ name: "ramps", images, labels, shape: [24, 8, 8, 1] });
let reads = 0;
const dataset: ImageDataset = {
  ...whole,
  read: (indices, out) => {
    reads++;
    if (fault === "data" && collective.rank === 1 && reads === FAULTY) throw new Error("7.png: broken");
    return whole.read(indices, out);
  },
};

const backend = await WasmBackend.create(platform, { threads: 1, cache: programCache() });
const trainer = new Trainer({
  model: new Unet({
    dim: 8,
    channels: 1,
    dimMults: [1],
    resnetBlockGroups: 2,
    attentionHeads: 1,
    attentionDimHead: 8,
    numClasses: 3,
  }),
  diffusion: new GaussianDiffusion({ timesteps: 20 }),
  dataset,
  batchSize: 8,
  learningRate: 1e-3,
  maxGradNorm: 0.5,
  randomHorizontalFlip: true,
  condDropProb: 0.4,
  emaDecay: 0.9,
  emaUpdateEvery: 1,
  seed: 7,
  backend,
  collective,
  runDirectory: new RunDirectory(path),
  saveEvery: 5,
});
for await (const { step } of trainer.run({ steps: STEPS })) {
  if (step !== FAULTY || collective.rank !== 1) continue;
  if (fault === "kill") process.kill(process.pid, "SIGKILL");
  if (fault === "abort") mpi?.abort(7);
  if (fault === "exit") process.exit(3);
  if (fault === "hang") await new Promise((resolve) => setTimeout(resolve, 60_000));
}
await mpi?.close();
await backend.close();
if (collective.rank === 0 && existsSync(path)) console.log(`done ${trainer.step}`);
