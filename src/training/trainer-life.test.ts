import { describe, expect, test } from "vitest";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { memoryDataset } from "../data/dataset.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { Unet } from "../models/unet/unet.ts";
import type { UnetOptions } from "../models/unet/options.ts";
import { Trainer } from "./trainer.ts";
import type { TrainerOptions } from "./trainer-options.ts";

const images = Uint8Array.from({ length: 12 * 16 }, (_, i) => ((i % 4) * 60 + (i >> 4) * 7) % 256);
const dataset = memoryDataset({ name: "ramps", images, shape: [12, 4, 4, 1] });

function newUnet(options: Partial<UnetOptions> = {}): Unet {
  const small = { dim: 4, channels: 1, dimMults: [1], resnetBlockGroups: 2, attentionHeads: 1, attentionDimHead: 4 };
  return new Unet({ ...small, ...options });
}

function newTrainer(options: Partial<TrainerOptions<Unet>> = {}): Trainer<Unet> {
  return new Trainer({
    model: newUnet(),
    diffusion: new GaussianDiffusion({ timesteps: 20 }),
    dataset,
    batchSize: 4,
    learningRate: 1e-2,
    emaDecay: 0.9,
    emaUpdateEvery: 1,
    seed: 7,
    backend: ReferenceBackend.create(),
    ...options,
  });
}

async function train(trainer: Trainer<Unet>, steps: number) {
  const lines = [];
  for await (const line of trainer.run({ steps })) lines.push(line);
  return lines;
}

describe("a trainer that was disposed of", () => {
  test("has freed what it made, and left the model its parameters", async () => {
    const trainer = newTrainer();
    await train(trainer, 2);
    const [average] = [...(trainer.emaModel?.parameters().values() ?? [])];
    const trained = await trainer.model.stateDict();
    trainer.dispose();
    trainer.dispose();
    await expect(average.read()).rejects.toThrow("was disposed of");
    expect(await trainer.model.stateDict()).toEqual(trained);
  });

  test.each([
    ["run()", (trainer: Trainer<Unet>) => train(trainer, 3)],
    ["checkpoint()", (trainer: Trainer<Unet>) => trainer.checkpoint()],
    ["prepare()", (trainer: Trainer<Unet>) => trainer.prepare()],
  ])("refuses %s instead of going on with zeros", async (_, use) => {
    const trainer = newTrainer();
    await train(trainer, 1);
    trainer.dispose();
    await expect(use(trainer)).rejects.toThrow(/^Trainer: was disposed of$/);
  });

  test("refuses what it was restored from, too", async () => {
    const trainer = newTrainer();
    const checkpoint = await trainer.checkpoint();
    trainer.dispose();
    await expect(trainer.restore(checkpoint)).rejects.toThrow("Trainer: was disposed of");
  });
});

describe("a trainer that runs", () => {
  test("refuses to run a second time at once, and runs again once its loop is left", async () => {
    const trainer = newTrainer();
    for await (const { step } of trainer.run({ steps: 3 })) {
      await expect(train(trainer, 3)).rejects.toThrow("Trainer: run() has begun already");
      if (step === 1) break;
    }
    expect(await train(trainer, 3)).toHaveLength(2);
  });

  test("refuses the second of two that begin together", async () => {
    const trainer = newTrainer();
    const [first, second] = await Promise.allSettled([train(trainer, 2), train(trainer, 2)]);
    expect([first.status, second.status]).toEqual(["fulfilled", "rejected"]);
  });
});

describe("a trainer says in one line", () => {
  const wrong: [string, object, string][] = [
    ["a name in snake_case", { learning_rate: 1 }, "Trainer: has no option learning_rate, did you mean learningRate?"],
    ["a name that is a little off", { batchSizes: 2 }, "Trainer: has no option batchSizes, did you mean batchSize?"],
    ["what is no function", { log: {} }, "Trainer: log must be a function, got object"],
    ["another optimizer", { optimizer: "lion" }, "Trainer: optimizer must be one of adam, adamw, sgd"],
    ["a setting of another optimizer", { optimizer: "sgd", nesterov: true }, "Sgd: nesterov needs a momentum above 0"],
    [
      "a share that is none",
      { validationSplit: 1 },
      "Trainer: validationSplit must be a number of at least 0 and below 1",
    ],
    ["no model", { model: undefined }, "Trainer: model must be given, got undefined"],
  ];
  test.each(wrong)("%s", async (_, options, message) => {
    const make = async () => newTrainer(options).prepare();
    await expect(make()).rejects.toThrow(message);
  });
});

describe("the optimizer of a trainer", () => {
  test("is chosen by name, and a run does not go on with another", async () => {
    const trainer = newTrainer({ optimizer: "sgd", momentum: 0.9, learningRate: 1e-3 });
    await train(trainer, 2);
    const checkpoint = await trainer.checkpoint();
    expect([...checkpoint.optimizer.keys()].every((name) => name.endsWith(".momentum_buffer"))).toBe(true);
    await expect(newTrainer().restore(checkpoint)).rejects.toThrow('training.optimizer is "sgd" there and "adam" here');
    const again = newTrainer({ optimizer: "sgd", momentum: 0.9, learningRate: 1e-3 });
    await again.restore(checkpoint);
    const [whole, rest] = [await train(trainer, 4), await train(again, 4)];
    expect(rest.map(({ loss }) => loss)).toEqual(whole.map(({ loss }) => loss));
  });
});

describe("images that are held out", () => {
  test("are seen by no step, and their loss is measured the same way each time", async () => {
    const read = new Set<number>();
    const spying = {
      ...dataset,
      read: (indices: ArrayLike<number>, out: Uint8Array) => {
        for (const index of Array.from(indices)) read.add(index);
        return dataset.read(indices, out);
      },
    };
    const options = { dataset: spying, validationSplit: 0.25, validateEvery: 2, batchSize: 3 };
    const trainer = newTrainer(options);
    expect(trainer.totalSteps({ epochs: 2 })).toBe(6);
    const seen: number[] = [];
    const lines = [];
    for await (const line of trainer.run({ steps: 7 })) {
      lines.push(line);
      if (line.validationLoss === undefined) for (const index of read) seen.push(index);
      read.clear();
    }
    expect(lines.map(({ validationLoss }) => validationLoss !== undefined)).toEqual([
      false,
      true,
      false,
      true,
      false,
      true,
      true,
    ]);
    // A learning rate of next to nothing changes next to nothing: the numbers drawn are the same.
    const still = await train(newTrainer({ ...options, learningRate: 1e-30 }), 4);
    expect(still[3].validationLoss).toBeCloseTo(still[1].validationLoss ?? NaN, 6);
    expect(lines[1].validationLoss).not.toBe(still[1].validationLoss);
    expect(new Set(seen).size).toBeLessThanOrEqual(9);
  });

  test("leave training as it is: the losses are those of the other images alone", async () => {
    const every = await train(newTrainer({ validationSplit: 0.25, validateEvery: 1, batchSize: 3 }), 4);
    const rarely = await train(newTrainer({ validationSplit: 0.25, validateEvery: 100, batchSize: 3 }), 4);
    expect(every.map(({ loss }) => loss)).toEqual(rarely.map(({ loss }) => loss));
  });
});

describe("weights to start from", () => {
  test("are a checkpoint's averages, or weights by name, and the run is a new one", async () => {
    const source = newTrainer();
    await train(source, 3);
    const checkpoint = await source.checkpoint();
    if (!checkpoint.ema) throw new Error("no averages");
    for (const initFrom of [checkpoint, checkpoint.ema]) {
      const trainer = newTrainer({ model: newUnet({ seed: 9 }), initFrom });
      expect(await trainer.prepare()).toBe(0);
      expect(await trainer.model.stateDict()).toEqual(checkpoint.ema);
      expect(await trainer.emaModel?.stateDict()).toEqual(checkpoint.ema);
    }
  });

  test("must be those of the model", async () => {
    const initFrom = await newUnet({ dim: 8 }).stateDict();
    await expect(newTrainer({ initFrom }).prepare()).rejects.toThrow(/^Trainer: initFrom: .* must be f32 \[/);
  });
});

describe("dropout", () => {
  test("drops while training, and not where the loss is measured or images are drawn", async () => {
    const losses = async (dropout: number) => train(newTrainer({ model: newUnet({ dropout }) }), 2);
    const [plain, dropping] = [await losses(0), await losses(0.5)];
    expect(dropping[0].loss).not.toBe(plain[0].loss);
    expect((await losses(0.5))[1].loss).toBe(dropping[1].loss);
    const [model, other] = [newUnet({ dropout: 0.5 }), newUnet()];
    const diffusion = new GaussianDiffusion({ timesteps: 20 });
    const options = { batchSize: 1, imageSize: 4, seed: 1, steps: 2, backend: ReferenceBackend.create() };
    expect((await diffusion.sample(model, options)).data).toEqual((await diffusion.sample(other, options)).data);
    const held = { validationSplit: 0.5, validateEvery: 1, learningRate: 1e-30, batchSize: 3 };
    const [[a], [b]] = [
      await train(newTrainer({ ...held, model }), 1),
      await train(newTrainer({ ...held, model: other }), 1),
    ];
    expect(a.validationLoss).toBeCloseTo(b.validationLoss ?? NaN, 6);
  });
});
