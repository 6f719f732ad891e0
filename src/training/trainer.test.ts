import { describe, expect, test, vi } from "vitest";
import { SmallBackend } from "../../test/support/small-backend.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import type { ImageDataset } from "../data/dataset.ts";
import { imageContexts } from "../data/conditions.ts";
import { memoryDataset } from "../data/dataset.ts";
import { ElucidatedDiffusion } from "../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { Unet } from "../models/unet/unet.ts";
import type { UnetOptions } from "../models/unet/options.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../checkpoint/checkpoint.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { diffusionFromCheckpoint } from "../checkpoint/from-checkpoint.ts";
import type { MetricsLine } from "../checkpoint/metrics.ts";
import type { FoundCheckpoint, RunStore } from "../checkpoint/run-store.ts";
import { readState } from "../optim/state.ts";
import { Trainer } from "./trainer.ts";
import type { RunLength, TrainerOptions } from "./trainer-options.ts";

const tinyUnet: UnetOptions = {
  dim: 4,
  channels: 1,
  dimMults: [1, 2],
  resnetBlockGroups: 2,
  attentionHeads: 1,
  attentionDimHead: 4,
};

/** Images whose left half is darker than the right. */
function dataset(length = 10, size = 4): ImageDataset {
  const images = Uint8Array.from(
    { length: length * size * size },
    (_, i) => ((i % size) * 60 + Math.floor(i / 16) * 7) % 256,
  );
  return memoryDataset({ name: "ramps", images, shape: [length, size, size, 1] });
}

function tinyTrainer(options: Partial<TrainerOptions<Unet>> = {}, unet: Partial<UnetOptions> = {}): Trainer<Unet> {
  return new Trainer({
    model: new Unet({ ...tinyUnet, ...unet }),
    diffusion: new GaussianDiffusion({ timesteps: 20, lossType: "huber" }),
    dataset: dataset(),
    batchSize: 4,
    learningRate: 1e-2,
    emaDecay: 0.9,
    emaUpdateEvery: 1,
    seed: 7,
    backend: ReferenceBackend.create(),
    ...options,
  });
}

async function losses(trainer: Trainer, length: RunLength): Promise<number[]> {
  const list: number[] = [];
  for await (const { loss } of trainer.run(length)) list.push(loss);
  return list;
}

class MemoryStore implements RunStore {
  readonly saved: Checkpoint[] = [];
  readonly lines: MetricsLine[] = [];
  async latest(): Promise<FoundCheckpoint | undefined> {
    const checkpoint = this.saved.at(-1);
    return checkpoint && { checkpoint, path: `memory/${checkpoint.step}` };
  }
  async begin(): Promise<void> {}
  async record(line: MetricsLine): Promise<void> {
    this.lines.push(line);
  }
  async save(checkpoint: Checkpoint): Promise<string> {
    this.saved.push(checkpoint);
    return `memory/${checkpoint.step}`;
  }
}

describe("a trainer", () => {
  test("lowers the loss", async () => {
    const list = await losses(tinyTrainer({ learningRate: 5e-3 }), { steps: 40 });
    const mean = (part: readonly number[]) => part.reduce((sum, x) => sum + x, 0) / part.length;
    expect(mean(list.slice(-10))).toBeLessThan(0.6 * mean(list.slice(0, 5)));
  });

  test("counts epochs in whole batches", async () => {
    const trainer = tinyTrainer();
    const seen: string[] = [];
    for await (const { step, epoch, totalSteps } of trainer.run({ epochs: 3 }))
      seen.push(`${step}/${totalSteps} ${epoch}`);
    expect(seen).toEqual(["1/6 1", "2/6 1", "3/6 2", "4/6 2", "5/6 3", "6/6 3"]);
    expect(tinyTrainer({ gradientAccumulateEvery: 2 }).totalSteps({ epochs: 3 })).toBe(3);
  });

  test("gives the same numbers for the same seed and others for another", async () => {
    const first = await losses(tinyTrainer(), { steps: 3 });
    expect(await losses(tinyTrainer(), { steps: 3 })).toEqual(first);
    expect(await losses(tinyTrainer({ seed: 8 }), { steps: 3 })).not.toEqual(first);
  });

  test("refuses what cannot work before anything runs", () => {
    expect(() => tinyTrainer({ batchSize: 0 })).toThrow(
      "Trainer: batchSize must be a whole number of at least 1, got 0",
    );
    expect(() => tinyTrainer({ batchSize: 11 })).toThrow("batchSize 11 needs as many images, ramps has 10");
    expect(() => tinyTrainer({}, { channels: 3 })).toThrow("the model takes 3 channels, the images of ramps have 1");
    expect(() => tinyTrainer({ dataset: dataset(10, 5) })).toThrow(
      "must be divisible by 2 with 2 resolutions, got 5 x 5",
    );
    expect(() => tinyTrainer({}, { numClasses: 2 })).toThrow(
      "Trainer: the model takes 2 classes, the images of ramps have none",
    );
    const labelled = { ...dataset(), labels: Int32Array.from({ length: 10 }, (_, i) => i % 3) };
    expect(() => tinyTrainer({ dataset: labelled }, { numClasses: 2 })).toThrow(
      "Trainer: the model takes 2 classes, the images of ramps are of 3",
    );
    expect(() => tinyTrainer({}, { vectorDim: 2 })).toThrow(
      "Trainer: the model takes vector, the images of ramps have none",
    );
    const contexts = { dim: 5, length: 1, of: () => [] };
    expect(() =>
      tinyTrainer({ dataset: { ...dataset(), conditions: [imageContexts(contexts)] } }, { contextDim: 3 }),
    ).toThrow("Trainer: the model takes context of [any,3] for each image, those of ramps have [1,5]");
    expect(() => tinyTrainer().totalSteps({ steps: 0 })).toThrow("steps must be a whole number of at least 1, got 0");
    expect(() => tinyTrainer({ saveEvery: 0.5 })).toThrow("saveEvery must be");
  });
});

describe("a trainer that may go on before its lines are taken", () => {
  /** Trains eight steps; `check` is called in the loop with what tells how many steps have begun. */
  async function train(
    store: MemoryStore,
    pauseEvery: number | undefined,
    check: (step: number, begun: () => number) => Promise<void>,
  ): Promise<void> {
    const backend = ReferenceBackend.create();
    const load = backend.load.bind(backend);
    let count = 0;
    backend.load = async (graph) => {
      const executable = await load(graph);
      const run = (inputs: Parameters<typeof executable.run>[0]) => {
        count++;
        return executable.run(inputs);
      };
      return { ...executable, run };
    };
    const trainer = tinyTrainer({ backend, runDirectory: store, saveEvery: 5 });
    for await (const { step } of trainer.run({ steps: 8 }, { pauseEvery })) await check(step, () => count);
  }

  test("begins the next step but for where it pauses, saves or ends, with the same losses and checkpoints", async () => {
    const [waiting, ahead] = [new MemoryStore(), new MemoryStore()];
    const waits = async (step: number, begun: () => number): Promise<void> => {
      await new Promise((resume) => setTimeout(resume, 30));
      expect(begun()).toBe(step);
    };
    await train(waiting, undefined, waits);
    await train(ahead, 3, async (step, begun) => {
      if ([3, 5, 6, 8].includes(step)) await waits(step, begun);
      else await vi.waitFor(() => expect(begun()).toBe(step + 1), { timeout: 10_000 });
    });
    const losses = ({ lines }: MemoryStore) => lines.map(({ step, epoch, loss }) => [step, epoch, loss]);
    expect(losses(ahead)).toEqual(losses(waiting));
    expect(ahead.saved).toEqual(waiting.saved);
  });

  test("gives a checkpoint of the step that it has reached, and then that step's line", async () => {
    const trainer = tinyTrainer();
    const steps: number[] = [];
    let checkpoint: Checkpoint | undefined;
    for await (const { step } of trainer.run({ steps: 4 }, { pauseEvery: Infinity })) {
      steps.push(step);
      if (step === 2) checkpoint = await trainer.checkpoint();
      if (step === 3) break;
    }
    expect(checkpoint?.step).toBe(3);
    expect(trainer.step).toBe(3);
    for await (const { step } of trainer.run({ steps: 4 })) steps.push(step);
    expect(steps).toEqual([1, 2, 3, 4]);
    if (!checkpoint) throw new Error("no checkpoint");
    const other = tinyTrainer();
    await other.restore(checkpoint);
    expect(await losses(other, { steps: 4 })).toHaveLength(1);
    expect(await readState(other.model.parameters())).toEqual(await readState(trainer.model.parameters()));
  });
});

describe("the average of the parameters", () => {
  test("follows the recurrence that it promises", async () => {
    const trainer = tinyTrainer({ emaDecay: 0.5, emaUpdateEvery: 2 });
    const name = "final_conv.bias";
    const read = async (model: Unet | undefined) => model && (await model.stateDict()).get(name)?.data[0];
    let expected = await read(trainer.model);
    for await (const { step } of trainer.run({ steps: 6 })) {
      const value = await read(trainer.model);
      if (expected === undefined || value === undefined) throw new Error(`no ${name}`);
      // The first step is copied; then moves 0, 1, 2 with decays 1/10, 2/11, 3/12.
      const decay = { 1: 0, 2: 1 / 10, 4: 2 / 11, 6: 3 / 12 }[step] ?? 1;
      expected = decay * expected + (1 - decay) * value;
      expect(await read(trainer.emaModel)).toBeCloseTo(expected, 6);
    }
  });

  test("is not kept with a decay of 0, and then the model itself draws", () => {
    const trainer = tinyTrainer({ emaDecay: 0 });
    expect(trainer.emaModel).toBeUndefined();
    expect(trainer.samplingModel).toBe(trainer.model);
  });
});

describe("going on from a checkpoint", () => {
  const variants: [string, Partial<TrainerOptions<Unet>>, Partial<UnetOptions>][] = [
    ["with averages and flips", { randomHorizontalFlip: true }, {}],
    [
      "with a cosine schedule, clipping and accumulation",
      {
        learningRateSchedule: "cosine",
        warmupSteps: 2,
        maxGradNorm: 0.1,
        gradientAccumulateEvery: 2,
        emaUpdateEvery: 2,
      },
      {},
    ],
    ["with self-condition", {}, { selfCondition: true }],
  ];

  test.for(variants)("is bit-identical to never having stopped, %s", async ([, options, unet]) => {
    const whole = tinyTrainer(options, unet);
    const expected = await losses(whole, { steps: 7 });

    const store = new MemoryStore();
    const early = tinyTrainer({ ...options, runDirectory: store, saveEvery: 3 }, unet);
    const list: number[] = [];
    for await (const { step, loss } of early.run({ steps: 7 })) {
      list.push(loss);
      // The fourth step is lost: the checkpoint is of the third.
      if (step === 4) break;
    }
    const late = tinyTrainer({ ...options, runDirectory: store, saveEvery: 3 }, { ...unet, seed: 99 });
    expect(await late.prepare()).toBe(3);
    const rest = await losses(late, { steps: 7 });

    expect([...list.slice(0, 3), ...rest]).toEqual(expected);
    for (const pick of [({ model }: Trainer) => model, ({ emaModel }: Trainer) => emaModel]) {
      expect(await pick(late)?.stateDict()).toEqual(await pick(whole)?.stateDict());
    }
    expect(store.saved.map(({ step }) => step)).toEqual([3, 6, 7]);
    expect(store.lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 4, 5, 6, 7]);
  });

  test("ends at once where the run is finished", async () => {
    const store = new MemoryStore();
    await losses(tinyTrainer({ runDirectory: store }), { steps: 2 });
    expect(await losses(tinyTrainer({ runDirectory: store }), { steps: 2 })).toEqual([]);
    expect(store.saved).toHaveLength(1);
  });

  test("goes on with batches of another size at the next whole one, and says so", async () => {
    const store = new MemoryStore();
    await losses(tinyTrainer({ runDirectory: store }), { steps: 1 });
    const said: string[] = [];
    const trainer = tinyTrainer({ runDirectory: store, batchSize: 3, log: (line) => said.push(line) });
    expect(await losses(trainer, { steps: 3 })).toHaveLength(2);
    expect(said).toEqual(["batches of 3 images, of 4 at the checkpoint: the next one begins at image 6"]);
    // Of the ten images the last four were in no batch: that of image 6 to 8, then those of the next epoch.
    expect(store.lines.map(({ epoch }) => epoch)).toEqual([1, 1, 2]);
  });

  test("refuses a checkpoint of another run whole, naming what differs", async () => {
    const store = new MemoryStore();
    await losses(tinyTrainer({ runDirectory: store }), { steps: 1 });
    const wider = tinyTrainer({ runDirectory: store }, { dim: 8 });
    const before = await readState(wider.model.parameters());
    await expect(wider.prepare()).rejects.toThrow(
      /^memory\/1: a checkpoint of another run, keep the two apart: model\.dim is 4 there and 8 here; [^\n]*$/,
    );
    expect(await readState(wider.model.parameters())).toEqual(before);
    await expect(tinyTrainer({ runDirectory: store, seed: 99 }).prepare()).rejects.toThrow(
      /training\.seed is \d+ there and 99 here/,
    );
    const { checkpoint } = (await store.latest()) ?? {};
    if (checkpoint === undefined) throw new Error("nothing was saved");
    const cut = new Map([...checkpoint.optimizer].filter(([name]) => name !== "final_conv.bias.exp_avg"));
    const trainer = tinyTrainer();
    await expect(trainer.restore({ ...checkpoint, optimizer: cut })).rejects.toThrow(
      "final_conv.bias.exp_avg is missing",
    );
    expect(trainer.step).toBe(0);
    expect(await trainer.model.stateDict()).toEqual(await new Unet(tinyUnet).stateDict());
    const diffusion = new GaussianDiffusion({ timesteps: 20, betaSchedule: "cosine", lossType: "huber" });
    await expect(tinyTrainer({ runDirectory: store, diffusion }).prepare()).rejects.toThrow("the betas differ");
  });
});

describe("a dataset that changes or breaks", () => {
  test("a directory with other images since goes on with the next epoch, and another dataset is refused", async () => {
    const store = new MemoryStore();
    await losses(tinyTrainer({ runDirectory: store }), { steps: 1 });
    const lines: string[] = [];
    const log = (line: string) => lines.push(line);
    const trainer = tinyTrainer({ runDirectory: store, dataset: dataset(9), log });
    const epochs: number[] = [];
    for await (const { epoch } of trainer.run({ steps: 4 })) epochs.push(epoch);
    expect(epochs).toEqual([2, 2, 3]);
    expect(lines).toEqual(["ramps has 9 images, 10 at the checkpoint: the next epoch begins"]);
    const other = { ...dataset(11), name: "slopes" };
    await expect(tinyTrainer({ runDirectory: store, dataset: other }).prepare()).rejects.toThrow(
      "dataset is ramps of 9 there and slopes of 11 here",
    );
  });

  test("a step that fails between its micro-batches leaves nothing behind", async () => {
    const options = { gradientAccumulateEvery: 2, batchSize: 2 };
    const whole = await losses(tinyTrainer(options), { steps: 3 });
    const good = dataset();
    let reads = 0;
    const read: ImageDataset["read"] = (indices, out) => {
      if (++reads === 4) throw new Error("a.png: broken");
      return good.read(indices, out);
    };
    const trainer = tinyTrainer({ ...options, dataset: { ...good, read } });
    const first: number[] = [];
    const train = async () => {
      for await (const { loss } of trainer.run({ steps: 3 })) first.push(loss);
    };
    await expect(train()).rejects.toThrow("a.png: broken");
    expect(trainer.step).toBe(1);
    expect([...first, ...(await losses(trainer, { steps: 3 }))]).toEqual(whole);
  });
});

describe("a batch that does not fit into memory", () => {
  const small = () => new SmallBackend(ReferenceBackend.create(), 2 * 16);

  test("is split, which is said once, and changes neither the settings nor the losses", async () => {
    const [lines, store] = [[] as string[], new MemoryStore()];
    const trainer = tinyTrainer({ backend: small(), log: (line) => lines.push(line), runDirectory: store });
    const split = [...(await losses(trainer, { steps: 2 })), ...(await losses(trainer, { steps: 4 }))];
    expect(lines).toEqual([
      "a batch of 4 images does not fit into memory: it is split into 2 of 2, with the same result up to rounding",
    ]);
    const whole = await losses(tinyTrainer(), { steps: 4 });
    for (const [i, loss] of split.entries()) expect(loss).toBeCloseTo(whole[i], 4);
    expect(store.saved[0].config).toEqual(tinyTrainer().config());
    expect(trainer.imagesPerStep).toBe(4);
  });

  test("goes on from the checkpoint of a machine with more memory", async () => {
    const store = new MemoryStore();
    await losses(tinyTrainer({ runDirectory: store }), { steps: 2 });
    const rest = await losses(tinyTrainer({ runDirectory: store, backend: small() }), { steps: 4 });
    const whole = await losses(tinyTrainer(), { steps: 4 });
    for (const [i, loss] of rest.entries()) expect(loss).toBeCloseTo(whole[i + 2], 4);
  });
});

describe("with the diffusion of Karras et al.", () => {
  const edm = () => tinyTrainer({ diffusion: new ElucidatedDiffusion(), learningRate: 5e-3 });

  test("a run lowers the loss, and goes on as if it had never stopped", { timeout: 60_000 }, async () => {
    const whole = await losses(edm(), { steps: 30 });
    const mean = (part: readonly number[]) => part.reduce((sum, x) => sum + x, 0) / part.length;
    expect(mean(whole.slice(-10))).toBeLessThan(0.8 * mean(whole.slice(0, 5)));

    const early = edm();
    for await (const { step } of early.run({ steps: 30 })) if (step === 3) break;
    const checkpoint = await decodeCheckpoint(await encodeCheckpoint(await early.checkpoint()), "checkpoint");
    expect(diffusionFromCheckpoint(checkpoint)).toEqual(new ElucidatedDiffusion());
    const late = edm();
    await late.restore(checkpoint);
    for await (const { step, loss } of late.run({ steps: 30 })) {
      expect(loss).toBe(whole[step - 1]);
      if (step === 5) break;
    }
  });

  test("a run is none with timesteps, and draws none by importance", async () => {
    const checkpoint = await edm().checkpoint();
    await expect(tinyTrainer().restore(checkpoint)).rejects.toThrow(
      'diffusion.kind is "edm" there and "gaussian" here',
    );
    const other = tinyTrainer({ diffusion: new ElucidatedDiffusion(), scheduleSampler: "importance" });
    await expect(other.prepare()).rejects.toThrow("scheduleSampler: importance is for a diffusion with timesteps");
  });
});

describe("a run that diverges", () => {
  test("stops, says what to try, and saves no more", async () => {
    const store = new MemoryStore();
    const trainer = tinyTrainer({ runDirectory: store, learningRate: 1e30, saveEvery: 1 });
    await expect(losses(trainer, { steps: 50 })).rejects.toThrow(
      /^training diverged at step \d+: .*Try a lower learning rate \(now 1e\+30\), or clipping gradients/,
    );
    const saved = store.saved.length;
    await expect(trainer.save()).rejects.toThrow("diverged");
    expect(store.saved).toHaveLength(saved);
    for (const { model } of store.saved) {
      for (const { data } of model.values()) expect(data.every(Number.isFinite)).toBe(true);
    }
  });
});
