import type { Backend } from "../../src/backend/backend.ts";
import { groupByKind, isProfiled, profileKernels } from "../../src/bench/profile.ts";
import type { KindTiming } from "../../src/bench/profile.ts";
import { RecordingBackend } from "../../src/bench/recording-backend.ts";
import { memoryDataset } from "../../src/data/dataset.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../../src/diffusion/process/schedules.ts";
import { newModel } from "../../src/models/registry.ts";
import { Random } from "../../src/nn/init.ts";
import { Trainer } from "../../src/training/trainer.ts";
import type { TrainingProgress } from "../../src/training/trainer-options.ts";
import type { StepPlan } from "./plan.ts";

const TIMESTEPS = 300;

/** A trainer whose steps are timed, the GPU never waiting for a loss to be read. */
export class TimedTraining {
  readonly #recorder: RecordingBackend;
  readonly #trainer: Trainer;
  readonly #run: AsyncGenerator<TrainingProgress, void>;
  readonly #plan: StepPlan;
  readonly #signal: AbortSignal;

  /** @param signal no step begins after it is aborted: then it throws */
  constructor(backend: Backend, plan: StepPlan, signal: AbortSignal) {
    const { imageSize, network } = plan;
    const { architecture, ...options } = network;
    const model = newModel(architecture, options);
    const random = new Random(0);
    const shape = [plan.batchSize, imageSize, imageSize, model.channels] as const;
    const images = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      Math.floor(256 * random.uniform()),
    );
    this.#plan = plan;
    this.#signal = signal;
    this.#recorder = new RecordingBackend(backend);
    this.#trainer = new Trainer({
      backend: this.#recorder,
      model,
      diffusion: new GaussianDiffusion({ betas: linearBetaSchedule(TIMESTEPS), lossType: "huber" }),
      dataset: memoryDataset({ name: "random images", images, shape }),
      batchSize: plan.batchSize,
      learningRate: 1e-3,
      emaDecay: 0,
    });
    this.#run = this.#trainer.run({ steps: Number.MAX_SAFE_INTEGER }, { pauseEvery: Infinity });
  }

  /** The losses of the next steps. */
  async losses(count: number): Promise<number[]> {
    const losses: number[] = [];
    while (losses.length < count) {
      this.#signal.throwIfAborted();
      const { value } = await this.#run.next();
      if (!value) throw new Error("internal: training ended");
      losses.push(value.loss);
    }
    return losses;
  }

  /** Seconds of one step, as a mean of the plan's. */
  async seconds(): Promise<number> {
    const start = performance.now();
    await this.losses(this.#plan.steps);
    return (performance.now() - start) / 1000 / this.#plan.steps;
  }

  /** Seconds of all kernels of a kind in one step, on the GPU's clock. */
  async kinds(): Promise<readonly KindTiming[]> {
    const run = this.#recorder.takeRuns().at(-1);
    if (!run || !isProfiled(run.executable)) throw new Error("internal: no step has run");
    return groupByKind(await profileKernels(run.executable, run.inputs, { rounds: 1, forwardContractions: Infinity }));
  }

  async close(): Promise<void> {
    await this.#run.return();
    this.#trainer.dispose();
  }
}
