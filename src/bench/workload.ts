import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import { programOf } from "../backend/wasm/program/compiled-program.ts";
import { memoryDataset } from "../data/dataset.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../diffusion/process/schedules.ts";
import { Random } from "../nn/init.ts";
import type { DiffusionModel } from "../models/model.ts";
import { newModel } from "../models/registry.ts";
import { summary } from "../models/summary.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Trainer } from "../training/trainer.ts";
import { RecordingBackend } from "./recording-backend.ts";
import type { RecordedRun } from "./recording-backend.ts";
import { DEFAULT_SIZE, batchSizeOf, sizes, titleOf } from "./sizes.ts";
import type { SizeName } from "./sizes.ts";
import type { WorkloadName } from "./workload-names.ts";

const TIMESTEPS = 300;

/** What a workload is made of. */
interface Setting {
  readonly backend: Backend;
  readonly model: DiffusionModel;
  readonly diffusion: GaussianDiffusion;
  /** [batch, height, width, channels] */
  readonly shape: readonly [number, number, number, number];
}

/** Does the work once; resolves with a number that follows from the result. */
type Step = () => Promise<number>;

interface Definition {
  /** The work in forward passes: gradients by input and by parameter cost as much again, each. */
  readonly passes: number;
  readonly stepOf: (setting: Setting) => Step;
}

const definitions: Readonly<Record<WorkloadName, Definition>> = {
  train: { passes: 3, stepOf: trainStep },
  forward: { passes: 1, stepOf: forwardStep },
  sampling: { passes: 1, stepOf: samplingStep },
};

export interface WorkloadOptions {
  /** The network and its images; the article's by default. */
  readonly size?: SizeName | undefined;
  /** Instead of that of the size. */
  readonly batchSize?: number | undefined;
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

  constructor(backend: Backend, name: WorkloadName, options: WorkloadOptions = {}) {
    const { size = DEFAULT_SIZE, batchSize = batchSizeOf(name, size) } = options;
    const { imageSize } = sizes[size];
    const model = networkOf(size);
    const betas = linearBetaSchedule(TIMESTEPS);
    const diffusion = new GaussianDiffusion({ betas, lossType: "huber", clipDenoised: false });
    const { passes, stepOf } = definitions[name];
    this.title = titleOf(name, batchSize, size);
    this.batchSize = batchSize;
    this.flops = passes * summary(model, imageSize, batchSize).flops;
    const shape = [batchSize, imageSize, imageSize, model.channels] as const;
    this.#name = name;
    this.#recorder = new RecordingBackend(backend);
    this.#setting = { backend: this.#recorder, model, diffusion, shape };
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
    const { model, shape } = this.#setting;
    const x = new Tensor({ kind: "input", index: 0, shape, dtype: "f32" });
    const t = new Tensor({ kind: "input", index: 1, shape: [shape[0]], dtype: "i32" });
    const { kernels } = programOf({ inputs: [x, t], outputs: [model.forward(x, t)], updates: [] });
    return kernels.filter(({ kind }) => kind === "convolution" || kind === "dot").length;
  }
}

/** The network of a size, with weights of its seed. */
export function networkOf(size: SizeName): DiffusionModel {
  const { architecture, ...options } = sizes[size].network;
  return newModel(architecture, options);
}

/** Algorithm 1 from bytes to the updated parameters, by the trainer itself. */
function trainStep({ backend, model, diffusion, shape }: Setting): Step {
  const random = new Random(0);
  const images = Uint8Array.from({ length: sizeOf(shape) }, () => Math.floor(256 * random.uniform()));
  const [batchSize] = shape;
  const dataset = memoryDataset({ name: "random images", images, shape });
  const trainer = new Trainer({ backend, model, diffusion, dataset, batchSize, learningRate: 1e-3, emaDecay: 0 });
  const steps = trainer.run({ steps: Number.MAX_SAFE_INTEGER });
  return async () => {
    const { value } = await steps.next();
    if (!value) throw new Error("internal: training ended");
    return value.loss;
  };
}

function forwardStep({ backend, model, shape }: Setting): Step {
  const [batchSize] = shape;
  const program = compile(backend, ({ x, t }) => ({ outputs: { y: model.forward(x, t) } }));
  const random = new Random(1);
  const timesteps = Int32Array.from({ length: batchSize }, () => Math.floor(TIMESTEPS * random.uniform()));
  const inputs = { x: noisyImages(shape), t: ndarray(timesteps, [batchSize]) };
  return async () => sum((await program(inputs)).y);
}

/** One step of Algorithm 2, always the same one: what it takes does not depend on the timestep. */
function samplingStep({ backend, model, diffusion, shape }: Setting): Step {
  const x = noisyImages(shape);
  return async () => sum(await diffusion.pSample(model, x, TIMESTEPS / 2, { seed: 1, backend }));
}

/** Of variance 1; how the numbers are distributed does not change the work. */
function noisyImages(shape: Shape): NdArray {
  const random = new Random(0);
  const data = Float32Array.from({ length: sizeOf(shape) }, () => Math.sqrt(12) * (random.uniform() - 0.5));
  return ndarray(data, shape);
}

function sum({ data }: NdArray): number {
  let total = 0;
  for (const value of data) total += value;
  return total;
}
