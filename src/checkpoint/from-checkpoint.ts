import type { Diffusion } from "../diffusion/diffusion.ts";
import type { DiffusionModel } from "../models/model.ts";
import { storedAs, withoutWeights } from "../nn/init.ts";
import type { StorageDtype } from "../tensor/half-storage.ts";
import { newModel } from "../models/registry.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { diffusionOfConfig } from "./diffusion-config.ts";
import { stateProblems, writeState } from "../optim/state.ts";
import { checkOptions } from "../config/rules.ts";

export interface ModelFromCheckpointOptions {
  /** The averages of the parameters, if there are any; default true. */
  readonly ema?: boolean | undefined;
  /** What the weights take in memory, f32 unless given: f16 or bf16 for a model that is drawn with. See `storedAs`. */
  readonly weights?: StorageDtype | undefined;
}

/**
 * The trained model of a checkpoint.
 *
 * @throws Error of one line if it is a classifier's
 */
export async function modelFromCheckpoint(
  checkpoint: Checkpoint,
  options: ModelFromCheckpointOptions = {},
): Promise<DiffusionModel> {
  const model = await trainedModelFromCheckpoint(checkpoint, options);
  if (model.predicts === "images") return model;
  throw new Error("checkpoint: a classifier's, which draws no images but guides another model's samples");
}

/**
 * The trained classifier of noisy images of a checkpoint.
 *
 * @throws Error of one line if it is not a classifier's
 */
export async function classifierFromCheckpoint(
  checkpoint: Checkpoint,
  options: ModelFromCheckpointOptions = {},
): Promise<DiffusionModel> {
  const model = await trainedModelFromCheckpoint(checkpoint, options);
  if (model.predicts === "classes") return model;
  throw new Error("checkpoint: not a classifier's, but that of a model that draws images");
}

/**
 * The trained network of a checkpoint, whatever it is for. Nothing is built of a network that the file's tensors are not of.
 *
 * @throws Error of one line if they are not those that its options ask for
 */
export async function trainedModelFromCheckpoint(
  { config, model, ema }: Checkpoint,
  options: ModelFromCheckpointOptions = {},
): Promise<DiffusionModel> {
  checkOptions("modelFromCheckpoint", options, { ema: "boolean", weights: "string" });
  const { architecture, ...modelOptions } = config.model;
  const make = (): DiffusionModel => withoutWeights(() => newModel(architecture, modelOptions));
  const trained = storedAs(options.weights ?? "f32", make);
  const state = (options.ema ?? true) ? (ema ?? model) : model;
  const [problem] = stateProblems(trained.parameters(), state);
  if (problem !== undefined) throw new Error(`checkpoint: ${problem}`);
  await writeState(trained.parameters(), state);
  return trained;
}

/** The diffusion that a checkpoint's model was trained for, with the settings for sampling that it was given. */
export function diffusionFromCheckpoint({ config, betas }: Checkpoint): Diffusion {
  return diffusionOfConfig(config.diffusion, betas);
}
