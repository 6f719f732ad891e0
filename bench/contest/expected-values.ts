import type { Backend } from "../../src/backend/backend.ts";
import { compile } from "../../src/backend/compile.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import type { WorkloadName } from "../../src/bench/workload-names.ts";
import { networkOf } from "../../src/bench/workload.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import type { DiffusionModel } from "../../src/models/model.ts";
import { nhwcToNchw } from "../../src/parity/layout.ts";
import { grad } from "../../src/tensor/autodiff/grad.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { valueOf } from "../../src/tensor/tensor.ts";
import { Adam } from "../../src/optim/adam.ts";
import type { Work } from "./participant.ts";
import { COMPARED_IMAGES, COMPARED_LOSSES, TIMESTEPS, referenceBatch } from "./reference.ts";
import type { Batch } from "./reference.ts";

/** What we compute from the reference: losses of steps that all take the same batch, or the first images as NCHW. */
export async function expectedValues({ workload, size, batchSize }: Work): Promise<number[]> {
  const backend = await createWasmBackend();
  try {
    return await valuesOf[workload](backend, networkOf(size), referenceBatch(size, batchSize));
  } finally {
    await backend.close();
  }
}

type Compute = (backend: Backend, model: DiffusionModel, batch: Batch) => Promise<number[]>;

const valuesOf: Readonly<Record<WorkloadName, Compute>> = {
  async train(backend, model, { images, noise, timesteps }) {
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

  async forward(backend, model, { images, timesteps }) {
    const predict = compile(backend, ({ x, t }) => ({ outputs: { prediction: model.forward(x, t) } }));
    return [...nhwcToNchw((await predict({ x: first(images), t: first(timesteps) })).prediction).data];
  },

  async sampling(backend, model, { images, noise }) {
    const options = { noise: first(noise), backend };
    return [...nhwcToNchw(await diffusion.pSample(model, first(images), TIMESTEPS / 2, options)).data];
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
