import { describe, expect, test } from "vitest";
import { inProcessCollectives } from "../../../test/support/in-process-collective.ts";
import { SmallBackend } from "../../../test/support/small-backend.ts";
import type { Backend, ByteCache } from "../../backend/backend.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import * as platform from "../../backend/wasm/runtime/platform.node.ts";
import { WasmBackend } from "../../backend/wasm/wasm-backend.ts";
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { RunStore } from "../../checkpoint/run-store.ts";
import { memoryDataset } from "../../data/dataset.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import { Unet } from "../../models/unet/unet.ts";
import type { UnetOptions } from "../../models/unet/options.ts";
import { Trainer } from "../trainer.ts";
import type { TrainerOptions } from "../trainer-options.ts";
import { alone } from "./collective.ts";
import type { Collective } from "./collective.ts";

const images = Uint8Array.from({ length: 24 * 64 }, (_, i) => ((i % 8) * 23 + (i >> 6) * 31 + ((i * i) % 17)) % 256);
const labels = Int32Array.from({ length: 24 }, (_, i) => i % 3);
const dataset = memoryDataset({ name: "ramps", images, labels, shape: [24, 8, 8, 1] });

interface Case {
  readonly model?: Partial<UnetOptions>;
  readonly diffusion?: ConstructorParameters<typeof GaussianDiffusion>[0];
  readonly settings?: Partial<TrainerOptions<Unet>>;
}

function newTrainer({ model, diffusion, settings }: Case, collective: Collective, backend: Backend): Trainer<Unet> {
  const small = { dim: 8, channels: 1, dimMults: [1], resnetBlockGroups: 2, attentionHeads: 1, attentionDimHead: 4 };
  return new Trainer({
    model: new Unet({ ...small, ...model }),
    diffusion: new GaussianDiffusion({ timesteps: 20, ...diffusion }),
    dataset: settings?.dataset ?? (model?.numClasses ? dataset : { ...dataset, labels: undefined }),
    batchSize: 8,
    learningRate: 1e-3,
    emaDecay: 0.9,
    emaUpdateEvery: 1,
    seed: 7,
    backend,
    collective,
    ...settings,
  });
}

const programs = new Map<string, Uint8Array<ArrayBuffer>>();
/** Devices need not compile what another one has compiled. */
const cache: ByteCache = {
  read: async (name) => programs.get(name),
  write: async (name, bytes) => void programs.set(name, bytes),
};
const newBackend = () => WasmBackend.create(platform, { threads: 1, cache });

interface Trained {
  readonly losses: number[];
  readonly checkpoint: Checkpoint;
}

async function trained(trainer: Trainer<Unet>, steps: number): Promise<Trained> {
  const losses = [];
  for await (const { loss, validationLoss } of trainer.run({ steps })) {
    losses.push(loss, ...(validationLoss === undefined ? [] : [validationLoss]));
  }
  return { losses, checkpoint: await trainer.checkpoint() };
}

/** Trains in so many processes, each with a device of its own. */
async function trainedOn(size: number, what: Case, steps = 20): Promise<Trained[]> {
  const collectives = size === 1 ? [alone] : inProcessCollectives(size);
  const backends = await Promise.all(collectives.map(newBackend));
  try {
    return await Promise.all(collectives.map((each, i) => trained(newTrainer(what, each, backends[i]), steps)));
  } finally {
    await Promise.all(backends.map((backend) => backend.close()));
  }
}

/** Of all numbers of two checkpoints: the norm of their difference, relative to that of the first. */
function distance(a: Checkpoint, b: Checkpoint): number {
  let [difference, norm] = [0, 0];
  for (const part of ["model", "ema"] as const) {
    for (const [name, { data }] of a[part] ?? []) {
      const other = b[part]?.get(name)?.data ?? [];
      data.forEach((x, i) => {
        difference += (x - other[i]) ** 2;
        norm += x ** 2;
      });
    }
  }
  return Math.sqrt(difference / norm);
}

describe("several processes train what one would", () => {
  const cases: [string, Case, sizes: readonly number[]][] = [
    [
      "with clipping, flips, dropout, accumulation, classes that are dropped, and held-out images",
      {
        model: { numClasses: 3, dropout: 0.2 },
        settings: {
          maxGradNorm: 0.5,
          randomHorizontalFlip: true,
          gradientAccumulateEvery: 2,
          condDropProb: 0.4,
          validationSplit: 0.2,
          validateEvery: 10,
        },
      },
      [2, 4],
    ],
    [
      "with a learned variance and timesteps drawn by their losses",
      {
        model: { outDim: 2 },
        diffusion: { timesteps: 4, varianceType: "learnedRange" },
        settings: { scheduleSampler: "importance" },
      },
      [2],
    ],
  ];

  test.for(cases)("%s: to 1e-6, and with the same bits in each", async ([, what, sizes]) => {
    const [one] = await trainedOn(1, what);
    for (const size of sizes) {
      const ranks = await trainedOn(size, what);
      for (const rank of ranks) expect(rank).toEqual(ranks[0]);
      for (const [i, loss] of one.losses.entries()) expect(ranks[0].losses[i] / loss).toBeCloseTo(1, 5);
      expect(distance(one.checkpoint, ranks[0].checkpoint)).toBeLessThan(1e-6);
      const cumulative = ({ optimizer }: Checkpoint) => optimizer.get("schedule_sampler.cumulative")?.data ?? [];
      for (const [t, value] of [...cumulative(one.checkpoint)].entries()) {
        expect(cumulative(ranks[0].checkpoint)[t]).toBeCloseTo(value, 5);
      }
    }
  });

  test("though one of them splits its share for lack of memory", async () => {
    const [one] = await trainedOn(1, {}, 5);
    const collectives = inProcessCollectives(2);
    const backends = collectives.map(() => ReferenceBackend.create());
    const small = new SmallBackend(backends[1], 2 * 64);
    const ranks = await Promise.all(
      collectives.map((each, i) => trained(newTrainer({}, each, [backends[0], small][i]), 5)),
    );
    expect(ranks[0]).toEqual(ranks[1]);
    expect(distance(one.checkpoint, ranks[0].checkpoint)).toBeLessThan(1e-6);
  });
});

test("a step exchanges all gradients as one block, and two numbers", async () => {
  const [first, second] = inProcessCollectives(2);
  const backends = await Promise.all([first, second].map(newBackend));
  const trainers = [first, second].map((each, i) => newTrainer({}, each, backends[i]));
  await Promise.all(trainers.map((trainer) => trainer.prepare()));
  const before = first.calls.length;
  await Promise.all(trainers.map((trainer) => trained(trainer, 3)));
  const size = [...trainers[0].model.parameters().values()].reduce((sum, each) => sum + each.size, 0);
  const calls = first.calls.slice(before, before + 6);
  expect(calls[1]).toBe("allReduce of Float64Array 2");
  const [, length] = /^allReduce of Float32Array (\d+)$/.exec(calls[0]) ?? [];
  expect(Number(length)).toBeGreaterThanOrEqual(size);
  expect(Number(length)).toBeLessThan(1.3 * size);
  expect(calls).toEqual([calls[0], calls[1], calls[0], calls[1], calls[0], calls[1]]);
  await Promise.all(backends.map((backend) => backend.close()));
});

test("the gradients of a larger network are exchanged in groups, with the same result", async () => {
  const large: Case = {
    model: { dim: 32, dimMults: [1, 2] },
    settings: { optimizer: "sgd", learningRate: 0.1, batchSize: 4, gradientAccumulateEvery: 2 },
  };
  const [one] = await trainedOn(1, large, 2);
  const collectives = inProcessCollectives(2);
  const backends = await Promise.all(collectives.map(newBackend));
  const ranks = await Promise.all(collectives.map((each, i) => trained(newTrainer(large, each, backends[i]), 2)));
  await Promise.all(backends.map((backend) => backend.close()));
  expect(ranks[0]).toEqual(ranks[1]);
  expect(distance(one.checkpoint, ranks[0].checkpoint)).toBeLessThan(1e-6);
  const sums = collectives[0].calls.filter((call) => call.startsWith("allReduce of Float32Array"));
  expect(new Set(sums).size).toBeGreaterThan(1);
  expect(sums.length).toBe(2 * new Set(sums).size);
});

/** Enough where what counts is who does what. */
const tiny: Case = { model: { dim: 4 } };

/** Keeps checkpoints in memory. */
function memoryStore(saved: Checkpoint[] = []): RunStore & { readonly saved: Checkpoint[] } {
  return {
    saved,
    latest: async () => (saved.length === 0 ? undefined : { checkpoint: saved[saved.length - 1], path: "memory" }),
    begin: async () => {},
    record: async () => {},
    save: async (checkpoint) => {
      saved.push(checkpoint);
      return "memory";
    },
  };
}

async function runAll(size: number, stores: readonly RunStore[], steps: number, settings: Case["settings"] = {}) {
  const trainers = inProcessCollectives(size).map((each, rank) =>
    newTrainer({ ...tiny, settings: { ...settings, runDirectory: stores[rank] } }, each, ReferenceBackend.create()),
  );
  await Promise.all(trainers.map((trainer) => trained(trainer, steps)));
  return trainers;
}

describe("a run of several processes", () => {
  test("is kept by rank 0 alone, and goes on in any number of them with what rank 0 finds", async () => {
    const [kept, unused] = [memoryStore(), memoryStore()];
    await runAll(2, [kept, unused], 2, { saveEvery: 1 });
    expect([kept.saved.map(({ step }) => step), unused.saved]).toEqual([[1, 2], []]);
    const undisturbed = memoryStore();
    await runAll(2, [undisturbed], 4);
    const [same, four] = [memoryStore([...kept.saved]), memoryStore([...kept.saved])];
    await runAll(2, [same], 4);
    expect(same.saved.at(-1)).toEqual(undisturbed.saved.at(-1));
    await runAll(4, [four], 4);
    const one = newTrainer(
      { ...tiny, settings: { runDirectory: memoryStore([...kept.saved]) } },
      alone,
      ReferenceBackend.create(),
    );
    const { checkpoint } = await trained(one, 4);
    for (const { saved } of [same, four]) expect(distance(checkpoint, saved[saved.length - 1])).toBeLessThan(1e-6);
    expect(four.saved.at(-1)?.position).toEqual(checkpoint.position);
  });

  test("begins with the weights of rank 0, whatever those of the others are", async () => {
    const trainers = inProcessCollectives(2).map((each) => newTrainer(tiny, each, ReferenceBackend.create()));
    const [weights] = trainers[1].model.parameters().values();
    await weights.write(new Float32Array(weights.size));
    await Promise.all(trainers.map((trainer) => trainer.prepare()));
    const [expected, moved] = await Promise.all(trainers.map(({ model }) => model.stateDict()));
    expect(moved).toEqual(expected);
    expect((await weights.read()).some((x) => x !== 0)).toBe(true);
  });

  test("stops after the step in which one of them is asked to", async () => {
    const asked = new AbortController();
    const trainers = inProcessCollectives(3).map((each) =>
      newTrainer({ ...tiny, settings: { batchSize: 6 } }, each, ReferenceBackend.create()),
    );
    const steps = trainers.map(async (trainer, rank) => {
      for await (const { step } of trainer.run({ steps: 9 }, rank === 1 ? { signal: asked.signal } : {})) {
        if (rank === 1 && step === 3) asked.abort();
      }
      return trainer.step;
    });
    expect(await Promise.all(steps)).toEqual([4, 4, 4]);
  });

  test("does not save where the weights have come apart", async () => {
    const store = memoryStore();
    const trainers = inProcessCollectives(2).map((each, rank) =>
      newTrainer(
        { ...tiny, settings: { runDirectory: rank === 0 ? store : undefined } },
        each,
        ReferenceBackend.create(),
      ),
    );
    const runs = trainers.map(async (trainer, rank) => {
      for await (const { step } of trainer.run({ steps: 4 })) {
        if (rank === 1 && step === 2) {
          const [weight] = trainer.model.parameters().values();
          await weight.write((await weight.read()).map((x, i) => (i === 0 ? x * (1 + 2 ** -22) : x)));
        }
      }
    });
    for (const { status, reason } of (await Promise.allSettled(runs)) as PromiseRejectedResult[]) {
      expect([status, String(reason)]).toEqual([
        "rejected",
        "Error: Trainer: the weights after step 4 must be the same in all processes, those of rank 1 are not those of rank 0",
      ]);
    }
    expect(store.saved).toEqual([]);
  });

  test.each<[string, Partial<TrainerOptions<Unet>>]>([
    ["another batch size", { batchSize: 4 }],
    ["other images", { dataset: memoryDataset({ name: "others", images, shape: [24, 8, 8, 1] }) }],
  ])("is refused where one has %s", async (_, settings) => {
    const trainers = inProcessCollectives(2).map((each, rank) =>
      newTrainer({ ...tiny, settings: rank === 1 ? settings : {} }, each, ReferenceBackend.create()),
    );
    const message =
      "Trainer: settings, images and device must be the same in all processes, those of rank 1 are not those of rank 0";
    for (const trainer of trainers) trainer.prepare().catch(() => {});
    await Promise.all(trainers.map((trainer) => expect(trainer.prepare()).rejects.toThrow(message)));
  });

  test("is refused where they cannot share a batch evenly", () => {
    const [first] = inProcessCollectives(3);
    expect(() => newTrainer({}, first, ReferenceBackend.create())).toThrow(
      "Trainer: batchSize must be divisible by the processes that share it, got 8 and 3",
    );
  });
});
