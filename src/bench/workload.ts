import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import { programOf } from "../backend/wasm/program/compiled-program.ts";
import { memoryDataset } from "../data/dataset.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../diffusion/process/schedules.ts";
import { Random } from "../nn/init.ts";
import { summary } from "../models/summary.ts";
import { Unet } from "../models/unet/unet.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Trainer } from "../training/trainer.ts";
import { RecordingBackend } from "./recording-backend.ts";
import type { RecordedRun } from "./recording-backend.ts";
import type { WorkloadName } from "./workload-names.ts";

const IMAGE_SIZE = 28;
const TIMESTEPS = 300;

/** What a workload is made of. */
interface Setting {
  readonly backend: Backend;
  readonly model: Unet;
  readonly diffusion: GaussianDiffusion;
  readonly batchSize: number;
}

/** Does the work once; resolves with a number that follows from the result. */
type Step = () => Promise<number>;

interface Definition {
  readonly title: string;
  readonly batchSize: number;
  /** The work in forward passes: gradients by input and by parameter cost as much again, each. */
  readonly passes: number;
  readonly stepOf: (setting: Setting) => Step;
}

const definitions: Readonly<Record<WorkloadName, Definition>> = {
  train: { title: "train step", batchSize: 128, passes: 3, stepOf: trainStep },
  forward: { title: "forward", batchSize: 128, passes: 1, stepOf: forwardStep },
  sampling: { title: "sampling step", batchSize: 64, passes: 1, stepOf: samplingStep },
};

/** The batch size that a workload is compared at. */
export function batchSizeOf(name: WorkloadName): number {
  return definitions[name].batchSize;
}

/** "train step, batch 128" */
export function titleOf(name: WorkloadName, batchSize = batchSizeOf(name)): string {
  return `${definitions[name].title}, batch ${batchSize}`;
}

/** One of the things that are timed, on a device. */
export class Workload {
  readonly title: string;
  /** Images at once. */
  readonly batchSize: number;
  /** Floating-point operations of a step: two per multiply-add of convolutions and matrix products. */
  readonly flops: number;
  readonly #name: WorkloadName;
  readonly #setting: Setting;
  readonly #recorder: RecordingBackend;
  readonly #step: Step;

  constructor(backend: Backend, name: WorkloadName, batchSize = batchSizeOf(name)) {
    const model = new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4] });
    const betas = linearBetaSchedule(TIMESTEPS);
    const diffusion = new GaussianDiffusion({ betas, lossType: "huber", clipDenoised: false });
    const { passes, stepOf } = definitions[name];
    this.title = titleOf(name, batchSize);
    this.batchSize = batchSize;
    this.flops = passes * summary(model, IMAGE_SIZE, batchSize).flops;
    this.#name = name;
    this.#recorder = new RecordingBackend(backend);
    this.#setting = { backend: this.#recorder, model, diffusion, batchSize };
    this.#step = stepOf(this.#setting);
  }

  /**
   * Does the work once.
   *
   * @returns the seconds that it took
   * @throws Error if the result is not finite, for then it is not the work that was meant
   */
  async step(): Promise<number> {
    this.#recorder.takeRuns();
    const start = performance.now();
    const result = await this.#step();
    const seconds = (performance.now() - start) / 1000;
    if (!Number.isFinite(result)) throw new Error(`${this.title}: the result must be finite, got ${result}`);
    return seconds;
  }

  /** The programs that the last step ran. */
  lastRuns(): readonly RecordedRun[] {
    return this.#recorder.takeRuns();
  }

  /** How many kernels of a step are convolutions or dots of the network's forward pass. */
  forwardContractions(): number {
    if (this.#name !== "train") return Infinity;
    const { model, batchSize } = this.#setting;
    const x = new Tensor({ kind: "input", index: 0, shape: [batchSize, IMAGE_SIZE, IMAGE_SIZE, 1], dtype: "f32" });
    const t = new Tensor({ kind: "input", index: 1, shape: [batchSize], dtype: "i32" });
    const { kernels } = programOf({ inputs: [x, t], outputs: [model.forward(x, t)], updates: [] });
    return kernels.filter(({ kind }) => kind === "convolution" || kind === "dot").length;
  }
}

/** Algorithm 1 from bytes to the updated parameters, by the trainer itself. */
function trainStep({ backend, model, diffusion, batchSize }: Setting): Step {
  const shape = [batchSize, IMAGE_SIZE, IMAGE_SIZE, 1];
  const random = new Random(0);
  const images = Uint8Array.from({ length: batchSize * IMAGE_SIZE ** 2 }, () => Math.floor(256 * random.uniform()));
  const dataset = memoryDataset({ name: "random images", images, shape });
  const trainer = new Trainer({ backend, model, diffusion, dataset, batchSize, learningRate: 1e-3, emaDecay: 0 });
  const steps = trainer.run({ steps: Number.MAX_SAFE_INTEGER });
  return async () => {
    const { value } = await steps.next();
    if (!value) throw new Error("internal: training ended");
    return value.loss;
  };
}

function forwardStep({ backend, model, batchSize }: Setting): Step {
  const program = compile(backend, ({ x, t }) => ({ outputs: { y: model.forward(x, t) } }));
  const random = new Random(1);
  const timesteps = Int32Array.from({ length: batchSize }, () => Math.floor(TIMESTEPS * random.uniform()));
  const inputs = { x: noisyImages(batchSize), t: ndarray(timesteps, [batchSize]) };
  return async () => sum((await program(inputs)).y);
}

/** One step of Algorithm 2, always the same one: what it takes does not depend on the timestep. */
function samplingStep({ backend, model, diffusion, batchSize }: Setting): Step {
  const x = noisyImages(batchSize);
  return async () => sum(await diffusion.pSample(model, x, TIMESTEPS / 2, { seed: 1, backend }));
}

/** Of variance 1; how the numbers are distributed does not change the work. */
function noisyImages(batchSize: number): NdArray {
  const random = new Random(0);
  const length = batchSize * IMAGE_SIZE ** 2;
  const data = Float32Array.from({ length }, () => Math.sqrt(12) * (random.uniform() - 0.5));
  return ndarray(data, [batchSize, IMAGE_SIZE, IMAGE_SIZE, 1]);
}

function sum({ data }: NdArray): number {
  let total = 0;
  for (const value of data) total += value;
  return total;
}
