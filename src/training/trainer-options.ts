import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { RunStore } from "../checkpoint/run-store.ts";
import type { MetricsLine } from "../checkpoint/metrics.ts";
import { check, checkNames } from "../config/rules.ts";
import { trainingSettings } from "../checkpoint/training-settings.ts";
import type { TrainingSettings, TrainingSettingsInput } from "../checkpoint/training-settings.ts";
import type { ImageDataset } from "../data/dataset.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import type { DiffusionModel } from "../models/model.ts";
import type { State } from "../optim/state.ts";
import { alone } from "./collective/collective.ts";
import type { Collective } from "./collective/collective.ts";
import type { TrainingTask } from "./task.ts";

export interface TrainerOptions<Model extends DiffusionModel = DiffusionModel> extends TrainingSettingsInput {
  readonly model: Model;
  readonly diffusion: Diffusion;
  /** Images as bytes; they are scaled to [-1, 1]. */
  readonly dataset: ImageDataset;
  /** What the model is trained for; without one, what models that predict the same usually are. */
  readonly task?: TrainingTask | undefined;
  /** Weights that a new run starts from, a checkpoint's averages if it has some; those of the model without. */
  readonly initFrom?: Checkpoint | State | undefined;
  /** Where the run is kept, and what it goes on from; without one, nowhere. */
  readonly runDirectory?: RunStore | undefined;
  /** Steps between checkpoints; 500 by default. The last step makes one too. */
  readonly saveEvery?: number | undefined;
  /** The default backend without one. */
  readonly backend?: Backend | undefined;
  /**
   * The processes that train together, each with these same options: every one takes its share of each batch. Rank 0 alone
   * has the run directory. None without it.
   */
  readonly collective?: Collective | undefined;
  /** Is told in one line what is not as before or as asked: other images than at the checkpoint, batches that are split. */
  readonly log?: ((line: string) => void) | undefined;
}

/** How long to train: up to a number of steps or of passes over the dataset, those already done included. */
export type RunLength = { readonly steps: number } | { readonly epochs: number };

export interface RunOptions {
  /**
   * Lets steps begin before the caller has taken the lines of those before, but for the steps after multiples of this:
   * a GPU then does not wait for losses to be read. Whoever looks at the model between them may find it up to seven short
   * steps further. Without it, every step waits for the caller.
   */
  readonly pauseEvery?: number | undefined;
  /** Ends the run after the step in which it is aborted; where several processes train, after that of the first one. */
  readonly signal?: AbortSignal | undefined;
}

export interface TrainingProgress extends MetricsLine {
  readonly totalSteps: number;
}

const ownNames = [
  "model",
  "diffusion",
  "dataset",
  "task",
  "initFrom",
  "runDirectory",
  "saveEvery",
  "backend",
  "collective",
  "log",
] as const;

/** The settings among a trainer's options. @throws one line, if an option does not exist or is out of its range */
export function settingsOf<Model extends DiffusionModel>(options: TrainerOptions<Model>): TrainingSettings {
  checkNames("Trainer", options, [...ownNames, ...Object.keys(trainingSettings.shape)]);
  const { saveEvery = 500, log, collective = alone } = options;
  if (!Number.isSafeInteger(saveEvery) || saveEvery < 1) {
    throw new Error(`Trainer: saveEvery must be a whole number of at least 1, got ${saveEvery}`);
  }
  for (const name of ["model", "diffusion", "dataset"] as const) {
    const given: unknown = options[name];
    if (given instanceof Promise) throw new Error(`Trainer: ${name} must be awaited, got a promise of it`);
    if (typeof given !== "object" || given === null) {
      throw new Error(`Trainer: ${name} must be given, got ${given === null ? "null" : typeof given}`);
    }
  }
  if (log !== undefined && typeof log !== "function") {
    throw new Error(`Trainer: log must be a function, got ${typeof log}`);
  }
  const given = Object.entries(options).filter(([name]) => Object.hasOwn(trainingSettings.shape, name));
  const settings = check(trainingSettings, Object.fromEntries(given), "Trainer");
  if (settings.batchSize % collective.size !== 0) {
    throw new Error(
      `Trainer: batchSize must be divisible by the processes that share it, got ${settings.batchSize} and ${collective.size}`,
    );
  }
  return settings;
}

/** The last step of a run. @param batchesPerEpoch of which `every` make a step */
export function lastStepOf(length: RunLength, batchesPerEpoch: number, every: number): number {
  checkNames("Trainer: length", length, ["steps", "epochs"]);
  const [name, value] = "steps" in length ? (["steps", length.steps] as const) : (["epochs", length.epochs] as const);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new Error(`Trainer: ${name} must be a whole number of at least 1, got ${value}`);
  }
  return name === "steps" ? value : Math.floor((value * batchesPerEpoch) / every);
}

/** The weights of a checkpoint, or what are weights already. */
export function weightsOf(initFrom: Checkpoint | State): State {
  return "model" in initFrom ? (initFrom.ema ?? initFrom.model) : initFrom;
}
