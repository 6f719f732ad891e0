// What it costs to train in two processes rather than one, in steps that take turns, so that whatever else happens on the
// machine happens to all kinds of them:
//
//   mpirun -n 2 --bind-to none node bench/processes.ts 8
//   bench/two-machines.sh 1gbit mpirun node bench/processes.ts 8
//
// The argument is how many steps of each kind count. Each process has one thread.
import { WasmBackend } from "../src/backend/wasm/wasm-backend.ts";
import * as platform from "../src/backend/wasm/runtime/platform.node.ts";
import { networkOf } from "../src/bench/workload.ts";
import { programCache } from "../src/cli/caches/program-cache.ts";
import { memoryDataset } from "../src/data/dataset.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../src/diffusion/process/schedules.ts";
import { ndarray } from "../src/tensor/ndarray.ts";
import { alone } from "../src/training/collective/collective.ts";
import type { Collective } from "../src/training/collective/collective.ts";
import { MpiCollective } from "../src/training/collective/mpi/mpi.node.ts";
import { taskOf } from "../src/training/tasks/tasks.ts";
import { settingsOf } from "../src/training/trainer-options.ts";
import { TrainingProgram } from "../src/training/step/training-program.ts";

const BATCH = 128;
const RATES = { learningRate: 1e-3, emaRate: 0.005 };
const rounds = Number(process.argv[2] ?? 8);
const mpi = await MpiCollective.open({ watchdogSeconds: 120 });

/** Batches of the article's network on a device of so many threads. */
async function prepared(batchSize: number, threads: number, collective: Collective) {
  const shape = [batchSize, 28, 28, 1];
  const images = Uint8Array.from({ length: batchSize * 28 * 28 }, (_, i) => (i * 7919) % 256);
  const model = networkOf("dim28");
  const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(300), lossType: "huber" });
  const dataset = memoryDataset({ name: "noise", images, shape });
  const settings = settingsOf({ model, diffusion, dataset, batchSize: BATCH, learningRate: RATES.learningRate });
  const backend = await WasmBackend.create(platform, { threads, cache: programCache() });
  const task = taskOf(model, diffusion, settings, {});
  const program = new TrainingProgram({ backend, task, parameters: model.parameters(), settings, collective });
  await program.prepare(shape);
  const firstImage = collective.rank * batchSize;
  return {
    program,
    microBatch: { images: ndarray(Float32Array.from(images), shape), seed: 1, counter: 1, firstImage },
  };
}

const shared = await prepared(BATCH / mpi.size, 1, mpi);
const single = mpi.rank === 0 ? await prepared(BATCH, mpi.size, alone) : undefined;

const kinds = {
  async "one process of as many threads"() {
    if (single) await single.program.run(one(single.microBatch), RATES);
  },
  async "processes that do not reduce"() {
    await shared.program.accumulate(shared.microBatch);
    await shared.program.apply(RATES);
    await mpi.allReduce(new Float64Array(2));
  },
  async "reduced after the backward pass"() {
    await shared.program.accumulate(shared.microBatch);
    await shared.program.reduce();
    await shared.program.apply(RATES);
    await mpi.allReduce(new Float64Array(2));
  },
  async "reduced during the backward pass"() {
    await shared.program.accumulate(shared.microBatch, true);
    await shared.program.apply(RATES);
    await mpi.allReduce(new Float64Array(2));
  },
};

async function* one<T>(value: T): AsyncGenerator<T> {
  yield value;
}

const times = new Map(Object.keys(kinds).map((kind): [string, number[]] => [kind, []]));
for (let round = -1; round < rounds; round++) {
  for (const [kind, step] of Object.entries(kinds)) {
    await mpi.meet();
    const start = performance.now();
    await step();
    if (round >= 0) times.get(kind)?.push(performance.now() - start);
  }
}
if (mpi.rank === 0) {
  for (const [kind, own] of times) {
    const [least, median] = [0, own.length >> 1].map((i) => own.toSorted((a, b) => a - b)[i].toFixed(0));
    console.log(`${kind.padEnd(34)} median ${median} ms, least ${least} ms`);
  }
}
await mpi.close();
process.exit(0);
