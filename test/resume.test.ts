import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../src/backend/backend.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import { memoryDataset } from "../src/data/dataset.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { Unet } from "../src/models/unet/unet.ts";
import type { UnetOptions } from "../src/models/unet/options.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../src/checkpoint/checkpoint.ts";
import type { Checkpoint } from "../src/checkpoint/checkpoint.ts";
import { Trainer } from "../src/training/trainer.ts";
import type { TrainerOptions } from "../src/training/trainer-options.ts";

const SIZE = 12;
const STEPS = 6;

const images = Uint8Array.from({ length: 20 * SIZE * SIZE }, (_, i) => ((i % SIZE) * 20 + (i >> 6) * 7) % 256);
const dataset = memoryDataset({ name: "ramps", images, shape: [20, SIZE, SIZE, 1] });

function newTrainer(backend: Backend, options: Partial<TrainerOptions>, unet: Partial<UnetOptions>): Trainer {
  const small = { dim: 8, channels: 1, dimMults: [1, 2], attentionHeads: 2, attentionDimHead: 8 };
  return new Trainer({
    model: new Unet({ ...small, ...unet, seed: 1 }),
    diffusion: new GaussianDiffusion({ timesteps: 50, betaSchedule: "cosine", lossType: "huber" }),
    dataset,
    batchSize: 7,
    learningRate: 1e-3,
    warmupSteps: 2,
    emaUpdateEvery: 2,
    randomHorizontalFlip: true,
    seed: 4,
    backend,
    ...options,
  });
}

/** The losses of the steps that are taken, and all that the run is at its end. */
interface Outcome {
  readonly losses: readonly number[];
  readonly checkpoint: Checkpoint;
}

async function train(trainer: Trainer, from?: Checkpoint, until = STEPS): Promise<Outcome> {
  if (from) await trainer.restore(from);
  const losses: number[] = [];
  for await (const { step, loss } of trainer.run({ steps: STEPS })) {
    losses.push(loss);
    if (step === until) break;
  }
  const outcome = { losses, checkpoint: await trainer.checkpoint() };
  trainer.dispose();
  return outcome;
}

/** A checkpoint as it comes back from a file. */
async function reread(checkpoint: Checkpoint): Promise<Checkpoint> {
  return decodeCheckpoint(await encodeCheckpoint(checkpoint), "checkpoint");
}

const variants: [string, Partial<TrainerOptions>, unet: Partial<UnetOptions>][] = [
  ["with one program a step", { learningRateSchedule: "cosine" }, {}],
  ["with clipping and accumulation", { maxGradNorm: 0.5, gradientAccumulateEvery: 2 }, {}],
  ["with self-condition", {}, { selfCondition: true }],
  [
    "with a learned variance and timesteps by importance",
    {
      diffusion: new GaussianDiffusion({ timesteps: 2, varianceType: "learnedRange" }),
      scheduleSampler: "importance",
    },
    { outDim: 2 },
  ],
];

describe.for(variants)("training on wasm, %s", { timeout: 60_000 }, ([, options, unet]) => {
  const backends: Backend[] = [];
  const threads = async (count: number): Promise<Backend> => {
    const backend = await createWasmBackend({ threads: count });
    backends.push(backend);
    return backend;
  };
  let whole: Outcome;
  beforeAll(async () => {
    whole = await train(newTrainer(await threads(2), options, unet));
  }, 60_000);
  afterAll(() => Promise.all(backends.map((backend) => backend.close())));

  test("gives the same bits stopped at a step and resumed elsewhere as never stopped", async () => {
    const early = await train(newTrainer(await threads(2), options, unet), undefined, 3);
    const saved = await reread(early.checkpoint);
    const late = await train(newTrainer(await threads(2), options, unet), saved);
    expect([...early.losses, ...late.losses]).toEqual(whole.losses);
    expect(late.checkpoint).toEqual(whole.checkpoint);
    expect(new Set(whole.losses).size).toBe(STEPS);
  });

  test.for([1, 3])("gives the same bits with %i thread(s) as with 2", async (count) => {
    const outcome = await train(newTrainer(await threads(count), options, unet));
    expect(outcome).toEqual(whole);
  });
});
