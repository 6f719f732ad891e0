import type { Backend } from "../backend/backend.ts";
import { defaultBackend } from "../backend/default.ts";
import { conditionShapes } from "../data/dataset.ts";
import type { ImageDataset } from "../data/dataset.ts";
import { DataLoader } from "../data/loader.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import { Random } from "../nn/init.ts";
import type { DiffusionModel } from "../models/model.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor, iota } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { betasOf } from "../checkpoint/diffusion-config.ts";
import { divergence } from "./divergence.ts";
import { emaRateAt } from "../optim/ema.ts";
import { learningRateAt } from "../optim/learning-rate.ts";
import { isExhausted } from "../optim/loss-scale.ts";
import type { MetricsLine } from "../checkpoint/metrics.ts";
import { Pace } from "./pace.ts";
import { configOf, configProblems } from "../checkpoint/run-config.ts";
import type { RunConfig } from "../checkpoint/run-config.ts";
import { check } from "../config/rules.ts";
import type { RunStore } from "../checkpoint/run-store.ts";
import { wholeBatchFrom } from "./whole-batch.ts";
import { trainingSettings } from "../config/training-settings.ts";
import type { TrainingSettings, TrainingSettingsInput } from "../config/training-settings.ts";
import { findNonFinite, readState, stateProblems, writeState } from "../optim/state.ts";
import type { State } from "../optim/state.ts";
import { modelLike } from "../models/registry.ts";
import { TrainingProgram } from "./training-program.ts";
import type { MicroBatch } from "./training-program.ts";

export interface TrainerOptions<Model extends DiffusionModel = DiffusionModel> extends TrainingSettingsInput {
  readonly model: Model;
  readonly diffusion: Diffusion;
  /** Images as bytes; they are scaled to [-1, 1]. */
  readonly dataset: ImageDataset;
  /** Where the run is kept, and what it goes on from; without one, nowhere. */
  readonly runDirectory?: RunStore | undefined;
  /** Steps between checkpoints; 500 by default. The last step makes one too. */
  readonly saveEvery?: number | undefined;
  /** The default backend without one. */
  readonly backend?: Backend | undefined;
  /** Is told in one line what is not as before or as asked: other images than at the checkpoint, batches that are split. */
  readonly log?: ((line: string) => void) | undefined;
}

/** How long to train: up to a number of steps or of passes over the dataset, those already done included. */
export type RunLength = { readonly steps: number } | { readonly epochs: number };

export interface RunOptions {
  /**
   * Lets a step begin before the caller has taken the line of the one before, but for the steps after multiples of
   * this: a GPU then does not wait for losses to be read. Whoever looks at the model between them may find it a step
   * further. Without it, every step waits for the caller.
   */
  readonly pauseEvery?: number | undefined;
}

export interface TrainingProgress extends MetricsLine {
  readonly totalSteps: number;
}

/**
 * Trains a U-Net by Algorithm 1 of Ho et al. (2020, 2006.11239), or for another `Diffusion` by its own loss, or a
 * classifier on the same noisy images.
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
  readonly #diffusion: Diffusion;
  readonly #dataset: ImageDataset;
  readonly #store: RunStore | undefined;
  readonly #saveEvery: number;
  readonly #givenBackend: Backend | undefined;
  readonly #log: (line: string) => void;
  readonly #loader: DataLoader;
  readonly #pace = new Pace();
  #program: TrainingProgram | undefined;
  /** What a batch is split into. */
  #parts = 1;
  #step = 0;
  #savedStep = -1;
  #savedTo: string | undefined;
  #hasDiverged = false;
  /** Settles when the batches of the step that was begun last are drawn. */
  #drawn: Promise<void> = Promise.resolve();
  /** A step that has begun before the caller took the line of the one before. */
  #ahead: Promise<MetricsLine> | undefined;
  /** The line of such a step that has ended since, for a checkpoint's sake. */
  #arrived: MetricsLine | undefined;
  #lastArrival = 0;

  /** @throws Error of one line if an option is out of its range or the dataset does not fit the model */
  constructor(options: TrainerOptions<Model>) {
    const { model, diffusion, dataset, runDirectory, saveEvery = 500, backend, log, ...settings } = options;
    if (!Number.isSafeInteger(saveEvery) || saveEvery < 1) {
      throw new Error(`Trainer: saveEvery must be a whole number of at least 1, got ${saveEvery}`);
    }
    this.settings = check(trainingSettings, settings, "Trainer");
    checkImages(model, diffusion, dataset);
    checkClasses(model, dataset);
    checkDescriptions(model, dataset);
    checkLowres(model, dataset, this.settings);
    this.model = model;
    this.emaModel = this.settings.emaDecay > 0 ? modelLike(model) : undefined;
    this.#diffusion = diffusion;
    this.#dataset = dataset;
    this.#store = runDirectory;
    this.#saveEvery = saveEvery;
    this.#givenBackend = backend;
    this.#log = log ?? (() => {});
    const { batchSize, seed } = this.settings;
    this.#loader = new DataLoader({ dataset, batchSize, seed });
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
    const [name, value] = "steps" in length ? (["steps", length.steps] as const) : (["epochs", length.epochs] as const);
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new Error(`Trainer: ${name} must be a whole number of at least 1, got ${value}`);
    }
    if (name === "steps") return value;
    return Math.floor((value * this.#loader.batchesPerEpoch) / this.settings.gradientAccumulateEvery);
  }

  /**
   * Compiles nothing yet, but goes on from the run directory's checkpoint if there is one. `run` calls it by itself.
   *
   * @returns the steps done
   * @throws Error of one line if the checkpoint is of another run; then nothing has changed
   */
  async prepare(): Promise<number> {
    if (this.#program !== undefined) return this.#step;
    const { model, emaModel, settings } = this;
    const backend = this.#givenBackend ?? (await defaultBackend());
    const found = await this.#store?.latest();
    const parts = { backend, model, emaModel, diffusion: this.#diffusion, settings };
    const program = new TrainingProgram({ ...parts, conditionShapes: conditionShapes(this.#dataset) });
    if (found) {
      await this.#restoreInto(program, found.checkpoint, `${found.path}: `);
      this.#savedStep = found.checkpoint.step;
      this.#savedTo = found.path;
    } else if (emaModel) {
      await writeState(emaModel.parameters(), await model.stateDict());
    }
    this.#program = program;
    return this.#step;
  }

  /**
   * Trains step by step, from where this trainer or its run directory's last checkpoint stands. A loop over it may be
   * left at any step and entered again.
   *
   * @throws Error when the loss is no finite number; checkpoints from before stay as they are
   */
  async *run(length: RunLength, { pauseEvery }: RunOptions = {}): AsyncGenerator<TrainingProgress, void> {
    const totalSteps = this.totalSteps(length);
    await this.prepare();
    await this.#store?.begin(this.config(), this.#step);
    if (this.#step < totalSteps) await this.#compile();
    const isDue = (step: number, every: number): boolean => step % every === 0 || step === totalSteps;
    const mayGoOn = (step: number): boolean =>
      pauseEvery !== undefined && !isDue(step, pauseEvery) && !isDue(step, this.#saveEvery) && this.#parts === 1;
    try {
      while (this.#arrived || this.#step < totalSteps) {
        const line = this.#arrived ?? (await this.#nextLine(totalSteps, mayGoOn));
        this.#arrived = undefined;
        if (isDue(this.#step, this.#saveEvery)) await this.save();
        yield { ...line, totalSteps };
      }
    } finally {
      await this.#settle();
      this.#loader.close();
    }
  }

  /** Saves a checkpoint of the present step into the run directory, if there is one and it has none of this step. */
  async save(): Promise<void> {
    await this.#settle();
    if (this.#store === undefined || this.#savedStep === this.#step) return;
    this.#savedTo = await this.#store.save(await this.checkpoint());
    this.#savedStep = this.#step;
  }

  /** @throws Error if training has diverged: such a checkpoint would be of no use */
  async checkpoint(): Promise<Checkpoint> {
    const program = await this.#prepared();
    await this.#settle();
    if (this.#hasDiverged) throw this.#diverged("the loss is no longer finite");
    const checkpoint: Checkpoint = {
      step: this.#step,
      config: this.config(),
      betas: betasOf(this.#diffusion)?.slice(),
      position: this.#loader.state(),
      model: await readState(this.model.parameters()),
      ema: this.emaModel && (await readState(this.emaModel.parameters())),
      optimizer: await readState(program.state()),
    };
    const { model, ema = new Map(), optimizer } = checkpoint;
    const culprit = findNonFinite(model) ?? findNonFinite(ema) ?? findNonFinite(optimizer);
    if (culprit !== undefined) throw this.#diverged(`${culprit} is no longer finite`);
    if (isExhausted(optimizer)) throw this.#diverged("the gradients are no longer finite");
    return checkpoint;
  }

  /**
   * Goes on from a checkpoint.
   *
   * @throws Error of one line if it does not fit the model, the diffusion or the dataset; then nothing has changed
   */
  async restore(checkpoint: Checkpoint): Promise<void> {
    await this.#restoreInto(await this.#prepared(), checkpoint, "");
  }

  /** Enough to build the model again and to go on with its training. */
  config(): RunConfig {
    return configOf(this.model, this.#diffusion, this.settings, this.#dataset);
  }

  /** Frees the programs; the model keeps its parameters. */
  dispose(): void {
    this.#loader.close();
    this.#program?.dispose();
    this.#program = undefined;
  }

  async #restoreInto(program: TrainingProgram, checkpoint: Checkpoint, source: string): Promise<void> {
    const { config, betas, model, ema, optimizer, position, step } = checkpoint;
    if (optimizer.size === 0)
      throw new Error(`${source}a checkpoint of the weights alone, for sampling: training goes on from a whole one`);
    const problems = configProblems(this.config(), config);
    const own = betasOf(this.#diffusion);
    if (betas?.some((beta, t) => beta !== own?.[t])) problems.push("the betas differ");
    const parts: [ReadonlyMap<string, Variable>, State][] = [
      [this.model.parameters(), model],
      [program.state(), program.adopt(optimizer)],
    ];
    // A run that keeps averages only from now on starts them at the parameters.
    if (this.emaModel) parts.push([this.emaModel.parameters(), ema ?? model]);
    if (problems.length === 0) problems.push(...parts.flatMap((part) => stateProblems(...part)));
    if (problems.length > 0)
      throw new Error(`${source}a checkpoint of another run, keep the two apart: ${list(problems)}`);
    await this.#settle();
    this.#arrived = undefined;
    const { batchSize } = this.settings;
    const goesOnAt = wholeBatchFrom(position, this.#loader);
    this.#loader.restore(goesOnAt);
    if (batchSize !== config.training.batchSize) {
      this.#log(
        `batches of ${batchSize} images, of ${config.training.batchSize} at the checkpoint: the next one begins at image ${goesOnAt.position}`,
      );
    }
    const { name, length } = this.#dataset;
    if (length !== position.length)
      this.#log(`${name} has ${length} images, ${position.length} at the checkpoint: the next epoch begins`);
    for (const [variables, state] of parts) await writeState(variables, state);
    this.#step = step;
    this.#hasDiverged = false;
  }

  async #prepared(): Promise<TrainingProgram> {
    if (this.#program === undefined) await this.prepare();
    if (this.#program === undefined) throw new Error("internal: no training program");
    return this.#program;
  }

  async #compile(): Promise<void> {
    const program = await this.#prepared();
    const { batchSize } = this.settings;
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

  /** Waits for the next step, while the one after it begins if it may: then a GPU does not wait for the host. */
  async #nextLine(totalSteps: number, mayGoOn: (step: number) => boolean): Promise<MetricsLine> {
    const line = this.#ahead ?? this.#takeStep(this.#step, totalSteps);
    this.#ahead = undefined;
    if (this.settings.gradientAccumulateEvery === 1 && mayGoOn(this.#step + 1)) {
      await Promise.race([this.#drawn, line]);
      this.#ahead = this.#takeStep(this.#step + 1, totalSteps);
      // It is told to whoever waits for it later.
      this.#ahead.catch(() => undefined);
    }
    return this.#account(await line);
  }

  /** Waits for a step that has begun ahead of the caller, so that the model is that of `step`. */
  async #settle(): Promise<void> {
    if (!this.#ahead) return;
    const line = this.#ahead;
    this.#ahead = undefined;
    // After a failure nothing is known of the step; whoever trains on is told of it by the next one.
    const ended = await line.catch(() => undefined);
    if (ended && !this.#hasDiverged) this.#arrived = await this.#account(ended);
  }

  async #account(line: MetricsLine): Promise<MetricsLine> {
    this.#step = line.step;
    if (!Number.isFinite(line.loss)) throw this.#diverged(`the loss is ${line.loss}`);
    await this.#store?.record(line);
    return line;
  }

  /** @param step how many were taken before */
  async #takeStep(step: number, totalSteps: number): Promise<MetricsLine> {
    let drawn = (): void => {};
    this.#drawn = new Promise((resolve) => (drawn = resolve));
    if (this.#hasDiverged) throw this.#diverged("the loss is no longer finite");
    const program = await this.#prepared();
    const start = performance.now();
    const learningRate = learningRateAt(step, totalSteps, this.settings);
    const emaRate = this.emaModel ? emaRateAt(step, this.settings) : 0;
    const { epoch } = this.#loader.state();
    const loss = await program.run(this.#microBatches(step, drawn), { learningRate, emaRate });
    const seconds = (performance.now() - Math.max(start, this.#lastArrival)) / 1000;
    this.#lastArrival = performance.now();
    const imagesPerSecond = this.#pace.add(this.imagesPerStep, seconds);
    return { step: step + 1, epoch: epoch + 1, loss, learningRate, imagesPerSecond };
  }

  async *#microBatches(step: number, drawn: () => void): AsyncGenerator<MicroBatch> {
    const { batchSize, gradientAccumulateEvery, seed } = this.settings;
    const { height, width, channels } = this.#dataset;
    const start = this.#loader.state();
    for (let i = 0; i < gradientAccumulateEvery; i++) {
      const batch = await this.#loader.next().catch((error: unknown) => {
        this.#loader.restore(start);
        throw error;
      });
      // A copy in float: the loader's bytes and the device's next step come before this one has been uploaded.
      const images = ndarray(Float32Array.from(batch.images), [batchSize, height, width, channels]);
      const { conditions } = batch;
      const counter = step * gradientAccumulateEvery + i;
      if (i === gradientAccumulateEvery - 1) drawn();
      yield {
        images,
        conditions,
        seed,
        counter,
        withEstimate: this.model.conditions.selfCondition !== undefined && isHeads(seed, counter),
      };
    }
  }

  #diverged(what: string): Error {
    this.#hasDiverged = true;
    return divergence(what, this.#step, this.settings, this.#savedTo);
  }
}

/** Traces the model on one image, so that it says at once what it cannot take or should return. */
function checkImages(
  model: DiffusionModel,
  diffusion: Diffusion,
  { name, height, width, channels }: ImageDataset,
): void {
  if (channels !== model.channels) {
    throw new Error(`Trainer: the model takes ${model.channels} channels, the images of ${name} have ${channels}`);
  }
  const image = new Tensor({ kind: "input", index: 0, shape: [1, height, width, channels], dtype: "f32" });
  if (model.predicts === "classes") model.forward(image, iota([1]));
  else diffusion.modelOutput(model, image, iota([1]));
}

function checkClasses({ numClasses }: DiffusionModel, { name, labels, classNames }: ImageDataset): void {
  if (numClasses === 0) return;
  if (!labels) throw new Error(`Trainer: the model takes ${numClasses} classes, the images of ${name} have none`);
  const count = classNames?.length ?? labels.reduce((most, label) => Math.max(most, label + 1), 0);
  if (count === numClasses) return;
  throw new Error(`Trainer: the model takes ${numClasses} classes, the images of ${name} are of ${count}`);
}

/** @throws one line, if the dataset tells nothing of what the model takes, or something of another shape */
function checkDescriptions({ conditions }: DiffusionModel, dataset: ImageDataset): void {
  const told = conditionShapes(dataset);
  for (const [name, { shape, source, goesWith }] of Object.entries(conditions)) {
    if (source !== "dataset" || shape === "image") continue;
    const given = told[name];
    if (!given && goesWith === undefined) {
      throw new Error(`Trainer: the model takes ${name}, the images of ${dataset.name} have none`);
    }
    if (!given || (given.length === shape.length && shape.every((size, i) => (size ?? given[i]) === given[i])))
      continue;
    const need = `[${shape.map((size) => size ?? "any").join(",")}]`;
    const have = formatShape(given);
    throw new Error(
      `Trainer: the model takes ${name} of ${need} for each image, those of ${dataset.name} have ${have}`,
    );
  }
}

function checkLowres({ conditions }: DiffusionModel, dataset: ImageDataset, { lowresFactor }: TrainingSettings): void {
  const { name, height, width } = dataset;
  if (!conditions.lowresCondImg || (height % lowresFactor === 0 && width % lowresFactor === 0)) return;
  throw new Error(
    `Trainer: height and width must be divisible by lowresFactor, ${lowresFactor}, those of ${name} are ${height} x ${width}`,
  );
}

/** A fair coin that depends on the seed and the counter alone: Chen et al. (2022) feed back an estimate half of the time. */
function isHeads(seed: number, counter: number): boolean {
  return new Random((Math.imul(seed, 0x9e3779b1) ^ counter) >>> 0).uniform() < 0.5;
}

function list(problems: readonly string[]): string {
  const shown = problems.slice(0, 3).join("; ");
  return problems.length > 3 ? `${shown}; and ${problems.length - 3} more` : shown;
}
