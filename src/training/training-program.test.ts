import { expect, test } from "vitest";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { Unet } from "../nn/unet.ts";
import { grad } from "../tensor/grad.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { valueOf } from "../tensor/tensor.ts";
import { Adam } from "./adam.ts";
import { check } from "./rules.ts";
import { trainingSettings } from "./settings.ts";
import { trainingLoss } from "./training-loss.ts";
import { TrainingProgram } from "./training-program.ts";
import type { MicroBatch } from "./training-program.ts";

const newModel = () =>
  new Unet({ dim: 4, channels: 1, dimMults: [1], resnetBlockGroups: 2, attentionHeads: 1, attentionDimHead: 4 });
const diffusion = new GaussianDiffusion({ timesteps: 10 });
const images = [0, 1].map((k) =>
  ndarray(
    Float32Array.from({ length: 32 }, (_, i) => (i * (k + 3) * 11) % 256),
    [2, 4, 4, 1],
  ),
);
const options = { randomHorizontalFlip: false, withEstimate: false };
// A large epsilon, so that Adam's first step is about proportional to the gradient and small errors stay small.
const epsilon = 0.1;

async function* microBatches(step: number): AsyncGenerator<MicroBatch> {
  for (const [k, batch] of images.entries())
    yield { images: batch, seed: 5, counter: step * 2 + k, withEstimate: false };
}

test("accumulating takes the steps of the mean loss over all micro-batches", async () => {
  const backend = ReferenceBackend.create();
  const model = newModel();
  const settings = check(
    trainingSettings,
    { batchSize: 2, learningRate: 0.1, gradientAccumulateEvery: 2, adamEpsilon: epsilon, emaDecay: 0 },
    "settings",
  );
  const program = new TrainingProgram({ backend, model, emaModel: undefined, diffusion, settings });

  const other = newModel();
  const parameters = [...other.parameters().values()];
  const adam = new Adam(parameters, { epsilon, learningRate: 0.1 });
  const together = compile(backend, (a, b, keyA, keyB) => {
    const sum = trainingLoss(other, diffusion, a, keyA, options).add(trainingLoss(other, diffusion, b, keyB, options));
    const loss = sum.multiply(0.5);
    return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf))) };
  });

  for (let step = 0; step < 3; step++) {
    const loss = await program.run(microBatches(step), { learningRate: 0.1, emaRate: 0 });
    const keys = [0, 1].map((k) => ndarray(Uint32Array.of(5, step * 2 + k), [2]));
    const expected = await together(images[0], images[1], keys[0], keys[1]);
    expect(loss).toBeCloseTo(expected.loss.data[0], 5);
  }
  const [got, wanted] = [await model.stateDict(), await other.stateDict()];
  for (const [name, { data }] of wanted) {
    const values = got.get(name)?.data ?? [];
    for (const [i, value] of data.entries()) expect(Math.abs(values[i] - value), name).toBeLessThan(1e-5);
  }
});
