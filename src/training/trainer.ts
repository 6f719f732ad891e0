import type { Backend } from "../backend/backend.ts";
import { defaultBackend } from "../backend/default.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { RunStore } from "../checkpoint/run-store.ts";
import type { MetricsLine } from "../checkpoint/metrics.ts";
import { configOf } from "../checkpoint/run-config.ts";
import type { RunConfig } from "../checkpoint/run-config.ts";
import type { TrainingSettings } from "../checkpoint/training-settings.ts";
import { conditionShapes } from "../data/dataset.ts";
import type { ImageDataset } from "../data/dataset.ts";
import { DataLoader } from "../data/loader.ts";
import type { DiffusionModel } from "../models/model.ts";
import { modelLike } from "../models/registry.ts";
import { emaRateAt } from "../optim/ema.ts";
import { learningRateAt } from "../optim/learning-rate.ts";
import { alone } from "./collective/collective.ts";
import { Ranks } from "./collective/ranks.ts";
import { checkTrainable } from "./checks.ts";
import { divergence } from "./divergence.ts";
import { drawMicroBatches } from "./step/micro-batch.ts";
import { Pace } from "./pace.ts";
import { RunState, faultOf } from "./run-state.ts";
import { StepPipeline } from "./step/step-pipeline.ts";
import { taskOf } from "./tasks/tasks.ts";
import { lastStepOf, settingsOf, weightsOf } from "./trainer-options.ts";
import type { RunLength, RunOptions, TrainerOptions, TrainingProgress } from "./trainer-options.ts";
import { TrainingProgram } from "./step/training-program.ts";
import { splitDataset, validationLoss } from "./validation.ts";
import { changesSince, wholeBatchFrom } from "./step/whole-batch.ts";

/** Steps that begin ahead of the caller, at most: as many as take so long. */
const MOST_AHEAD = 7;
const SECONDS_AHEAD = 0.2;

/** What a trainer has once it knows its device. */
interface Prepared {
  readonly program: TrainingProgram;
  readonly state: RunState;
}

/**
 * Trains a network for its task: a denoiser by Algorithm 1 of Ho et al. (2020, 2006.11239), or for another `Diffusion` by
 * its own loss, or a classifier on the same noisy images.
 *
 * All randomness follows from the seed and the step, so a run that was stopped and goes on from its checkpoint gives
 * the same bits as one that was never stopped.
 *
 * A batch whose program does not fit into memory is split into equal parts whose gradients are added up.
 *
 * @example
 * const trainer = new Trainer({ model, diffusion, dataset, batchSize: 128, learningRate: 1e-3 });
 * for await (const { step, loss } of trainer.run({ epochs: 6 })) console.log(step, loss);
 */
export class Trainer<Model extends DiffusionModel = DiffusionModel> {
  readonly model: Model;
  /** Holds averages of the model's parameters, which usually draw better samples; undefined with emaDecay 0. */
  readonly emaModel: Model | undefined;
  readonly settings: TrainingSettings;
  readonly #options: TrainerOptions<Model>;
  readonly #log: (line: string) => void;
  readonly #ranks: Ranks;
  readonly #store: RunStore | undefined;
  /** The images that steps see. */
  readonly #dataset: ImageDataset;
  readonly #heldOut: ImageDataset | undefined;
  readonly #loader: DataLoader;
  readonly #pace = new Pace();
  readonly #pipeline: StepPipeline<MetricsLine>;
  #prepared: Prepared | undefined;
  #preparing: Promise<Prepared> | undefined;
  #isDisposed = false;
  #isRunning = false;
  /** The step that the present run ends with; learning rates may follow from it. */
  #lastStep = 0;
  /** What a batch is split into. */
  #parts = 1;
  #step = 0;
  #savedStep = -1;
  #savedTo: string | undefined;
  #signal: AbortSignal | undefined;
  /** Whether the last step was the first after a signal to stop. */
  #isStopping = false;
  #hasDiverged = false;
  #lastArrival = 0;

  /** @throws Error of one line if an option is out of its range or the dataset does not fit the model */
  constructor(options: TrainerOptions<Model>) {
    this.settings = settingsOf(options);
    const { model, diffusion, dataset, log } = options;
    checkTrainable(model, diffusion, dataset, this.settings);
    const { batchSize, seed, emaDecay, validationSplit } = this.settings;
    const { collective = alone } = options;
    this.#ranks = new Ranks(collective);
    this.#store = collective.rank === 0 ? options.runDirectory : undefined;
    const { training, heldOut } = splitDataset(dataset, validationSplit, seed);
    this.#dataset = training;
    this.#heldOut = heldOut;
    this.#loader = new DataLoader({ dataset: training, batchSize, seed, shard: collective });
    this.model = model;
    this.emaModel = emaDecay > 0 ? modelLike(model) : undefined;
    this.#options = options;
    this.#log = log ?? (() => {});
    this.#pipeline = new StepPipeline({
      begin: (step, drawn) => this.#takeStep(step, drawn),
      end: (line) => this.#account(line),
      isOver: () => this.#hasDiverged,
    });
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /** Images of one optimizer step. */
  get imagesPerStep(): number {
    return this.settings.batchSize * this.settings.gradientAccumulateEvery;
  }

  /** The model to draw samples with: the averages if they are kept. */
  get samplingModel(): Model {
    return this.emaModel ?? this.model;
  }

  /** The number of the last step of a run. The images at the end of an epoch that fill no batch are left out. */
  totalSteps(length: RunLength): number {
    return lastStepOf(length, this.#loader.batchesPerEpoch, this.settings.gradientAccumulateEvery);
  }

  /**
   * Compiles nothing yet, but goes on from the run directory's checkpoint if there is one. `run` calls it by itself.
   *
   * @returns the steps done
   * @throws Error of one line if the checkpoint is of another run; then nothing has changed
   */
  async prepare(): Promise<number> {
    await this.#ready();
    return this.#step;
  }

  /**
   * Trains step by step, from where this trainer or its run directory's last checkpoint stands. A loop over it may be
   * left at any step and entered again.
   *
   * @throws Error when the loss is no finite number; checkpoints from before stay as they are
   */
  async *run(length: RunLength, { pauseEvery, signal }: RunOptions = {}): AsyncGenerator<TrainingProgress, void> {
    const totalSteps = this.totalSteps(length);
    if (this.#isRunning) throw new Error("Trainer: run() has begun already and goes on; leave its loop first");
    this.#isRunning = true;
    const { saveEvery = 500 } = this.#options;
    const isDue = (step: number, every: number): boolean => step % every === 0 || step === totalSteps;
    // Whoever looks at the model after a step must find it there.
    const mayPass = (step: number): boolean =>
      pauseEvery !== undefined && !isDue(step, pauseEvery) && !isDue(step, saveEvery) && !this.#validatesAt(step);
    try {
      const { program } = await this.#ready();
      this.#lastStep = totalSteps;
      this.#signal = signal;
      this.#isStopping = false;
      await this.#store?.begin(this.config(), this.#step);
      if (this.#step < totalSteps) await this.#compile(program);
      const { gradientAccumulateEvery } = this.settings;
      const mayOverlap = this.#parts === 1 && gradientAccumulateEvery === 1 && !this.#ranks.areMany;
      while (this.#pipeline.hasLine || (this.#step < totalSteps && !this.#isStopping)) {
        const line = await this.#pipeline.next(
          this.#step,
          (step, ahead) => mayOverlap && mayPass(step) && ahead <= this.#mostAhead(),
        );
        if (isDue(this.#step, saveEvery)) await this.save();
        yield { ...line, totalSteps };
      }
    } finally {
      this.#isRunning = false;
      await this.#pipeline.settle();
      this.#loader.close();
    }
  }

  /**
   * Saves a checkpoint of the present step into the run directory, if there is one and it has none of this step. All
   * processes that train together call it at the same step.
   *
   * @throws Error of one line if not all of them have the same weights, bit for bit
   */
  async save(): Promise<void> {
    await this.#pipeline.settle();
    if (this.#savedStep === this.#step || (this.#store === undefined && !this.#ranks.areMany)) return;
    if (this.#ranks.areMany) {
      const { state } = await this.#ready();
      await this.#ranks.checkValues(state.variables(), `the weights after step ${this.#step}`);
    }
    if (this.#store) this.#savedTo = await this.#store.save(await this.checkpoint());
    this.#savedStep = this.#step;
  }

  /** @throws Error if training has diverged: such a checkpoint would be of no use */
  async checkpoint(): Promise<Checkpoint> {
    const { state } = await this.#ready();
    await this.#pipeline.settle();
    if (this.#hasDiverged) throw this.#diverged("the loss is no longer finite");
    const place = { step: this.#step, config: this.config(), position: this.#loader.state() };
    const checkpoint = await state.read(place);
    const fault = faultOf(checkpoint);
    if (fault !== undefined) throw this.#diverged(fault);
    return checkpoint;
  }

  /**
   * Goes on from a checkpoint.
   *
   * @throws Error of one line if it does not fit the model, the diffusion or the dataset; then nothing has changed
   */
  async restore(checkpoint: Checkpoint): Promise<void> {
    const { state } = await this.#ready();
    await this.#restoreInto(state, checkpoint, "");
  }

  /** Enough to build the model again and to go on with its training. */
  config(): RunConfig {
    const { diffusion, dataset } = this.#options;
    return configOf(this.model, diffusion, this.settings, dataset);
  }

  /**
   * Frees the programs and all that the trainer has made: the averages, the optimizer's state and the gradients. The model
   * keeps its parameters. Nothing else can be asked of the trainer then.
   */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#loader.close();
    this.#prepared?.program.dispose();
    this.#prepared = undefined;
    for (const variable of this.emaModel?.parameters().values() ?? []) variable.dispose();
  }

  #ready(): Promise<Prepared> {
    if (this.#isDisposed) return Promise.reject(new Error("Trainer: was disposed of"));
    if (this.#prepared) return Promise.resolve(this.#prepared);
    this.#preparing ??= this.#prepare().finally(() => (this.#preparing = undefined));
    return this.#preparing;
  }

  async #prepare(): Promise<Prepared> {
    const { model, emaModel, settings } = this;
    const { diffusion, dataset, initFrom } = this.#options;
    const { collective } = this.#ranks;
    const { task = taskOf(model, diffusion, settings, conditionShapes(dataset)) } = this.#options;
    const backend: Backend = this.#options.backend ?? (await defaultBackend());
    const found = await this.#store?.latest();
    const [parameters, averages] = [model.parameters(), emaModel?.parameters()];
    const program = new TrainingProgram({ backend, task, parameters, averages, settings, collective });
    const state = new RunState(model, emaModel, diffusion, program);
    try {
      if (found) {
        await this.#restoreInto(state, found.checkpoint, `${found.path}: `);
        this.#savedStep = found.checkpoint.step;
        this.#savedTo = found.path;
      } else await state.begin(initFrom && weightsOf(initFrom));
      if (this.#ranks.areMany) await this.#join(state);
      if (this.#isDisposed) throw new Error("Trainer: was disposed of");
    } catch (error) {
      program.dispose();
      throw error;
    }
    this.#prepared = { program, state };
    return this.#prepared;
  }

  /** Has all processes begin where rank 0 does. */
  async #join(state: RunState): Promise<void> {
    const { saveEvery, backend } = this.#options;
    const facts = [this.config(), saveEvery, backend?.name, backend?.precision];
    await this.#ranks.checkAlike(JSON.stringify(facts), "settings, images and device");
    const own = { step: this.#step, savedStep: this.#savedStep, position: this.#loader.state() };
    const { step, savedStep, position } = await this.#ranks.begin(own, state.variables());
    [this.#step, this.#savedStep] = [step, savedStep];
    this.#loader.restore(position);
  }

  async #restoreInto(state: RunState, checkpoint: Checkpoint, source: string): Promise<void> {
    const { position, step } = checkpoint;
    const goesOnAt = wholeBatchFrom(position, this.#loader);
    await state.write(this.config(), checkpoint, source, async () => {
      await this.#pipeline.settle();
      this.#pipeline.forget();
      this.#loader.restore(goesOnAt);
    });
    for (const line of changesSince(checkpoint, this.#loader, goesOnAt)) this.#log(line);
    this.#step = step;
    this.#hasDiverged = false;
  }

  async #compile(program: TrainingProgram): Promise<void> {
    const batchSize = this.settings.batchSize / this.#ranks.collective.size;
    const { height, width, channels } = this.#dataset;
    const { parts } = await program.prepare([batchSize, height, width, channels]);
    if (parts > 1 && parts !== this.#parts) {
      this.#log(
        `a batch of ${batchSize} images does not fit into memory: it is split into ${parts} of ${batchSize / parts}, ` +
          "with the same result up to rounding",
      );
    }
    this.#parts = parts;
  }

  /** @param step how many were taken before */
  async #takeStep(step: number, drawn: () => void): Promise<MetricsLine> {
    if (this.#hasDiverged) throw this.#diverged("the loss is no longer finite");
    const { program } = await this.#ready();
    const start = performance.now();
    const learningRate = learningRateAt(step, this.#lastStep, this.settings);
    const emaRate = this.emaModel ? emaRateAt(step, this.settings) : 0;
    const { epoch } = this.#loader.state();
    const microBatches = drawMicroBatches(this.#loader, step, this.settings, drawn);
    const own = await program.run(microBatches, { learningRate, emaRate });
    const { loss, stop } = await this.#ranks.endStep(own, this.#signal?.aborted === true);
    this.#isStopping = stop;
    const seconds = (performance.now() - Math.max(start, this.#lastArrival)) / 1000;
    this.#lastArrival = performance.now();
    const imagesPerSecond = this.#pace.add(this.imagesPerStep, seconds);
    const line = { step: step + 1, epoch: epoch + 1, loss, learningRate, imagesPerSecond };
    if (!this.#heldOut || !this.#validatesAt(step + 1) || !Number.isFinite(loss)) return line;
    const { batchSize, seed } = this.settings;
    return {
      ...line,
      validationLoss: await validationLoss(program, this.#heldOut, batchSize, seed, this.#ranks.collective),
    };
  }

  /** Steps that may begin ahead of the caller: more of short ones, so that none waits long for the run to end. */
  #mostAhead(): number {
    if (this.#signal?.aborted === true) return 0;
    return Math.max(1, Math.min(MOST_AHEAD, Math.floor((SECONDS_AHEAD * this.#pace.last) / this.imagesPerStep)));
  }

  #validatesAt(step: number): boolean {
    return this.#heldOut !== undefined && (step % this.settings.validateEvery === 0 || step === this.#lastStep);
  }

  async #account(line: MetricsLine): Promise<MetricsLine> {
    this.#step = line.step;
    if (!Number.isFinite(line.loss)) throw this.#diverged(`the loss is ${line.loss}`);
    await this.#store?.record(line);
    return line;
  }

  #diverged(what: string): Error {
    this.#hasDiverged = true;
    return divergence(what, this.#step, this.settings, this.#savedTo);
  }
}
