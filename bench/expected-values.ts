import type { Backend } from "../src/backend/backend.ts";
import { compile } from "../src/backend/compile.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.node.ts";
import type { WorkloadName } from "../src/bench/workload-names.ts";
import { GaussianDiffusion } from "../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../src/diffusion/process/schedules.ts";
import { grad } from "../src/tensor/grad.ts";
import { ndarray } from "../src/tensor/ndarray.ts";
import type { NdArray } from "../src/tensor/ndarray.ts";
import { valueOf } from "../src/tensor/tensor.ts";
import { Adam } from "../src/optim/adam.ts";
import { COMPARED_IMAGES, COMPARED_LOSSES, TIMESTEPS, referenceBatch, referenceModel } from "./reference.ts";
import type { Batch } from "./reference.ts";

/** What we compute from the reference: losses of steps that all take the same batch, or the first images. */
export async function expectedValues(workload: WorkloadName, batchSize: number): Promise<number[]> {
  const backend = await createWasmBackend();
  try {
    return await valuesOf[workload](backend, referenceBatch(batchSize));
  } finally {
    await backend.close();
  }
}

const valuesOf: Readonly<Record<WorkloadName, (backend: Backend, batch: Batch) => Promise<number[]>>> = {
  async train(backend, { images, noise, timesteps }) {
    const model = referenceModel();
    const parameters = [...model.parameters().values()];
    const adam = new Adam(parameters, { learningRate: 1e-3 });
    const step = compile(backend, ({ images, timesteps, noise }) => {
      const loss = diffusion.pLosses(model, images, timesteps, noise);
      return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf))) };
    });
    const losses: number[] = [];
    for (let i = 0; i < COMPARED_LOSSES; i++) losses.push((await step({ images, timesteps, noise })).loss.data[0]);
    return losses;
  },

  async forward(backend, { images, timesteps }) {
    const model = referenceModel();
    const predict = compile(backend, ({ x, t }) => ({ outputs: { prediction: model.forward(x, t) } }));
    return [...(await predict({ x: first(images), t: first(timesteps) })).prediction.data];
  },

  async sampling(backend, { images, noise }) {
    const options = { noise: first(noise), backend };
    return [...(await diffusion.pSample(referenceModel(), first(images), TIMESTEPS / 2, options)).data];
  },
};

const diffusion = new GaussianDiffusion({
  betas: linearBetaSchedule(TIMESTEPS),
  lossType: "huber",
  clipDenoised: false,
});

/** As many images as are compared. */
function first({ shape: [length, ...image], data }: NdArray): NdArray {
  const count = Math.min(COMPARED_IMAGES, length);
  return ndarray(data.slice(0, (count * data.length) / length), [count, ...image]);
}
