import { describe, expect, test } from "vitest";
import { Random } from "../../../test/support/random.ts";
import { SmallBackend } from "../../../test/support/small-backend.ts";
import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import { Unet } from "../../models/unet/unet.ts";
import type { UnetOptions } from "../../models/unet/options.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { valueOf } from "../../tensor/tensor.ts";
import { Adam } from "../../optim/adam.ts";
import { check } from "../../config/rules.ts";
import { trainingSettings } from "../../checkpoint/training-settings.ts";
import { trainingLoss } from "../training-loss.ts";
import type { MicroBatch } from "./micro-batch.ts";
import { denoising } from "../tasks/denoising.ts";
import { taskOf } from "../tasks/tasks.ts";
import { TrainingProgram } from "./training-program.ts";

const newModel = (options: Partial<UnetOptions> = {}) =>
  new Unet({
    dim: 4,
    channels: 1,
    dimMults: [1],
    resnetBlockGroups: 2,
    attentionHeads: 1,
    attentionDimHead: 4,
    seed: 3,
    ...options,
  });
const diffusion = new GaussianDiffusion({ timesteps: 10 });
const images = [0, 1].map((k) =>
  ndarray(
    Float32Array.from({ length: 32 }, (_, i) => (i * (k + 3) * 11) % 256),
    [2, 4, 4, 1],
  ),
);
const options = { randomHorizontalFlip: false };
// A large epsilon, so that Adam's first step is about proportional to the gradient and small errors stay small.
const epsilon = 0.1;

async function* microBatches(step: number): AsyncGenerator<MicroBatch> {
  for (const [k, batch] of images.entries()) yield { images: batch, seed: 5, counter: step * 2 + k };
}

test.each([1, 2])("parameters that require no gradient stay as they are, in %i micro-batches", async (parts) => {
  const backend = ReferenceBackend.create();
  const [model, averaged] = [newModel(), newModel()];
  const still = ["init_conv.weight", "time_mlp.1.bias"];
  for (const [name, variable] of model.parameters()) variable.requiresGrad = !still.includes(name);
  const before = await model.stateDict();
  const settings = check(
    trainingSettings,
    { batchSize: 2, gradientAccumulateEvery: parts, optimizer: "adamw", weightDecay: 0.5, learningRate: 0.1 },
    "settings",
  );
  const program = new TrainingProgram({
    backend,
    task: taskOf(model, diffusion, settings, {}),
    parameters: model.parameters(),
    averages: averaged.parameters(),
    settings,
  });
  const given = (async function* () {
    for await (const microBatch of microBatches(0)) if (parts-- > 0) yield microBatch;
  })();
  await program.run(given, { learningRate: 0.1, emaRate: 0.5 });
  const states = [await model.stateDict(), await averaged.stateDict()];
  const moved = [...before].filter(([name, { data }]) =>
    states.every((state) => !Buffer.from(data.buffer).equals(Buffer.from(state.get(name)?.data.buffer ?? data.buffer))),
  );
  const names = [...before.keys()].filter((name) => !still.includes(name));
  expect(moved.map(([name]) => name)).toEqual(names);
  expect([...program.state().keys()].filter((name) => still.some((other) => name.startsWith(other)))).toEqual([]);
});

test("accumulating takes the steps of the mean loss over all micro-batches", async () => {
  const backend = ReferenceBackend.create();
  const model = newModel();
  const settings = check(
    trainingSettings,
    { batchSize: 2, learningRate: 0.1, gradientAccumulateEvery: 2, adamEpsilon: epsilon, emaDecay: 0 },
    "settings",
  );
  const task = taskOf(model, diffusion, settings, {});
  const program = new TrainingProgram({ backend, task, parameters: model.parameters(), settings });

  const other = newModel();
  const parameters = [...other.parameters().values()];
  const adam = new Adam(parameters, { epsilon, learningRate: 0.1 });
  const together = compile(backend, ({ a, b, keyA, keyB }) => {
    const [first, second] = [
      trainingLoss(denoising(other, diffusion), a, keyA, options),
      trainingLoss(denoising(other, diffusion), b, keyB, options),
    ];
    const loss = first.loss.add(second.loss).multiply(0.5);
    return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf))) };
  });

  for (let step = 0; step < 3; step++) {
    const loss = await program.run(microBatches(step), { learningRate: 0.1, emaRate: 0 });
    const keys = [0, 1].map((k) => ndarray(Uint32Array.of(5, step * 2 + k), [2]));
    const expected = await together({ a: images[0], b: images[1], keyA: keys[0], keyB: keys[1] });
    expect(loss).toBeCloseTo(expected.loss.data[0], 5);
  }
  const [got, wanted] = [await model.stateDict(), await other.stateDict()];
  for (const [name, { data }] of wanted) {
    const values = got.get(name)?.data ?? [];
    for (const [i, value] of data.entries()) expect(Math.abs(values[i] - value), name).toBeLessThan(1e-5);
  }
});

test("gradients may be read and written between accumulating and applying", async () => {
  const model = newModel();
  const settings = check(trainingSettings, { batchSize: 2, learningRate: 0.1, emaDecay: 0 }, "settings");
  const task = taskOf(model, diffusion, settings, {});
  const parameters = model.parameters();
  const program = new TrainingProgram({ backend: ReferenceBackend.create(), task, parameters, settings });
  const before = await model.stateDict();
  const loss = await program.accumulate({ images: images[0], seed: 5, counter: 0 });
  expect(loss).toBeGreaterThan(0);
  expect(program.gradients).toHaveLength(parameters.size);
  for (const gradient of program.gradients) {
    const values = await gradient.read();
    expect(values.every(Number.isFinite), gradient.name).toBe(true);
    await gradient.write(values.fill(0));
  }
  await program.apply({ learningRate: 0.1, emaRate: 0 });
  expect(await model.stateDict()).toEqual(before);
});

describe("a micro-batch that does not fit into memory", () => {
  const batch = ndarray(
    Float32Array.from({ length: 6 * 16 }, (_, i) => (i * 29) % 256),
    [6, 4, 4, 1],
  );
  const values = new Random(4);
  const conditions = {
    classes: ndarray(Int32Array.of(0, 1, 2, 2, 0, 1), [6]),
    vector: values.array([6, 2]),
    context: values.array([6, 4, 3]),
    contextMask: values.array([6, 4], "bool"),
  };

  async function train(
    backend: Backend,
    gradientAccumulateEvery: number,
    selfCondition = false,
    scheduleSampler: "uniform" | "importance" = "uniform",
    isTold = false,
  ) {
    const sizes = isTold ? { numClasses: 3, vectorDim: 2, contextDim: 3 } : {};
    const model = newModel({ selfCondition, ...sizes });
    const always = {
      batchSize: 6,
      learningRate: 0.1,
      adamEpsilon: epsilon,
      randomHorizontalFlip: true,
      condDropProb: 0.4,
    };
    const settings = check(trainingSettings, { ...always, gradientAccumulateEvery, scheduleSampler }, "settings");
    // Few timesteps have ten losses each within these steps.
    const [diffusion, steps] =
      scheduleSampler === "importance"
        ? [new GaussianDiffusion({ timesteps: 2 }), 8]
        : [new GaussianDiffusion({ timesteps: 10 }), 3];
    const emaModel = newModel({ selfCondition, ...sizes });
    const task = taskOf(model, diffusion, settings, { context: [4, 3], contextMask: [4] });
    const [parameters, averages] = [model.parameters(), emaModel.parameters()];
    const program = new TrainingProgram({ backend, task, parameters, averages, settings });
    const { parts } = await program.prepare(batch.shape);
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      async function* microBatches(): AsyncGenerator<MicroBatch> {
        for (let i = 0; i < gradientAccumulateEvery; i++) {
          const counter = step * gradientAccumulateEvery + i;
          const variant = selfCondition && step !== 1 ? "withEstimate" : "plain";
          yield { images: batch, inputs: conditions, seed: 5, counter, variant };
        }
      }
      losses.push(await program.run(microBatches(), { learningRate: 0.1, emaRate: 0.5 }));
    }
    const cumulative = await program.state().get("schedule_sampler.cumulative")?.read();
    return { parts, losses, cumulative, state: await model.stateDict(), averages: await emaModel.stateDict() };
  }

  const images = (count: number) => count * 16;
  const cases: [
    string,
    limit: number,
    parts: number,
    every: number,
    selfCondition: boolean,
    scheduleSampler?: "uniform" | "importance",
    isTold?: boolean,
  ][] = [
    ["in halves", images(3), 2, 1, false],
    ["in single images where no smaller number of equal parts fits", images(1), 6, 1, false],
    ["in parts of each accumulated micro-batch", images(5), 2, 2, false],
    ["in halves that each get their own estimates", images(3), 2, 1, true],
    ["in halves that are told, or not, what the whole is", images(3), 2, 1, false, "uniform", true],
    ["in halves that draw the timesteps of the whole by their losses", images(3), 2, 1, false, "importance"],
  ];

  test.for(cases)("takes the same steps up to rounding, %s", async ([, limit, parts, every, ...options]) => {
    const whole = await train(ReferenceBackend.create(), every, ...options);
    const split = await train(new SmallBackend(ReferenceBackend.create(), limit), every, ...options);
    expect([whole.parts, split.parts]).toEqual([1, parts]);
    for (const [i, loss] of whole.losses.entries()) expect(split.losses[i]).toBeCloseTo(loss, 5);
    expect(whole.cumulative !== undefined).toBe(options[1] === "importance");
    for (const [i, value] of (whole.cumulative ?? []).entries()) expect(split.cumulative?.[i]).toBeCloseTo(value, 5);
    if (whole.cumulative) expect(Math.abs(whole.cumulative[0] - 0.5)).toBeGreaterThan(1e-3);
    for (const states of ["state", "averages"] as const) {
      for (const [name, { data }] of whole[states]) {
        const values = split[states].get(name)?.data ?? [];
        for (const [i, value] of data.entries()) expect(Math.abs(values[i] - value), name).toBeLessThan(1e-5);
      }
    }
  });

  test("is refused where a single image does not fit", async () => {
    const backend = new SmallBackend(ReferenceBackend.create(), 15);
    await expect(train(backend, 1)).rejects.toThrow("16 elements do not fit");
  });
});
