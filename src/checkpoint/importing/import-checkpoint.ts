import type { ImageSize } from "../../config/image-size.ts";
import { heightAndWidth } from "../../config/image-size.ts";
import { check, wholeNumber } from "../../config/rules.ts";
import { trainingSettings } from "../training-settings.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import type { BetaSchedule } from "../../diffusion/process/schedules.ts";
import { toFloat32 } from "../../io/safetensors/safetensors.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import { newModel } from "../../models/registry.ts";
import { findNonFinite, stateProblems } from "../../optim/state.ts";
import type { State } from "../../optim/state.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { configOf } from "../run-config.ts";
import { modelTensors, tensorBeside } from "./model-tensors.ts";
import type { ModelTensors } from "./model-tensors.ts";
import { unetOptionsOf } from "./unet-options.ts";
import { checkOptions } from "../../config/rules.ts";

/** Code whose weights are read. */
export const importSources = ["article", "denoising-diffusion-pytorch"] as const;
export type ImportSource = (typeof importSources)[number];

type Objective = "predNoise" | "predX0" | "predV";

/** What the code of a source does where its files say nothing. */
const habits = {
  article: {
    weightStandardization: "printed",
    resnetBlockGroups: 4,
    timesteps: 300,
    betaSchedule: "linear",
    objective: "predNoise",
    lossType: "huber",
    clipDenoised: false,
  },
  "denoising-diffusion-pytorch": {
    weightStandardization: "standardized",
    resnetBlockGroups: 8,
    timesteps: 1000,
    betaSchedule: "sigmoidJabri",
    objective: "predV",
    lossType: "l2",
    clipDenoised: true,
  },
} as const;

export interface ImportOptions {
  /** The code that the weights were trained with, which no file says: the two standardize weights differently. */
  readonly from: ImportSource;
  /** Height and width of the images that the model was trained on, or both at once. */
  readonly imageSize: ImageSize;
  /** The average of the weights, if the file has one; default true. */
  readonly ema?: boolean | undefined;
  /** Of the schedule, where the file has no betas; by default the source's. */
  readonly timesteps?: number | undefined;
  readonly betaSchedule?: BetaSchedule | undefined;
  /** What the model predicts, where the file does not tell; by default the source's. */
  readonly objective?: Objective | undefined;
  readonly resnetBlockGroups?: number | undefined;
  readonly attentionHeads?: number | undefined;
  readonly channels?: number | undefined;
  /** Name of the file, for messages and as the name of the images that it was trained on. */
  readonly source?: string | undefined;
}

const optionTypes = {
  from: "string",
  imageSize: "any",
  ema: "boolean",
  timesteps: "number",
  betaSchedule: "string",
  objective: "string",
  resnetBlockGroups: "number",
  attentionHeads: "number",
  channels: "number",
  source: "string",
} as const satisfies Record<keyof ImportOptions, string>;

export interface ImportedCheckpoint {
  /** Of the weights alone: to draw with, not to train on. */
  readonly checkpoint: Checkpoint;
  /** What stood before the names in the file: "ema.ema_model.model." */
  readonly prefix: string;
  /** What was not in the file and was taken from the source's defaults, by the options' names. */
  readonly assumed: readonly string[];
}

/**
 * Makes a checkpoint of the weights that PyTorch code has saved: the U-Net of "The Annotated Diffusion Model", or of
 * denoising-diffusion-pytorch where it has the same layers. The model's options follow from the names and shapes of the
 * tensors, the betas and the objective from the buffers of a GaussianDiffusion, if they are there.
 *
 * @param file tensors of any float dtype by their names; `numbers` may have the `step`
 * @throws Error of one line naming the tensors that fit no U-Net
 */
export async function importCheckpoint(
  file: { readonly tensors: ReadonlyMap<string, SafeTensor>; readonly numbers?: ReadonlyMap<string, number> },
  options: ImportOptions,
): Promise<ImportedCheckpoint> {
  checkOptions("importCheckpoint", options, optionTypes);
  const { source = "weights", from, ema = true } = options;
  const habit = habits[from];
  const found = modelTensors(file.tensors, ema, source);
  const { weightStandardization } = habit;
  const { resnetBlockGroups = habit.resnetBlockGroups, attentionHeads, channels } = options;
  const untold = { weightStandardization, resnetBlockGroups, attentionHeads, channels };
  checkFamily(found, source);
  const unet = unetOptionsOf(found.tensors, untold, source);
  const model = newModel("unet", { ...unet });
  const state = stateOf(found, source);
  checkFits(stateProblems(model.parameters(), state), source);
  const { betas, assumed: assumedBetas } = betasOf(file.tensors, found, options);
  const told = objectiveOf(file.tensors, found);
  const { objective = told ?? habit.objective } = options;
  const diffusion = new GaussianDiffusion({
    ...betas,
    objective,
    lossType: habit.lossType,
    clipDenoised: habit.clipDenoised,
    varianceType: unet.outDim === 2 * unet.channels ? "learnedRange" : "fixedSmall",
  });
  const [height, width] = heightAndWidth(options.imageSize);
  const images = { name: source, source, length: 1, height, width, channels: unet.channels, read: () => {} };
  const training = check(trainingSettings, { batchSize: 1, learningRate: 1e-3, emaDecay: 0 }, "training");
  const step = file.numbers?.get("step") ?? 0;
  const checkpoint: Checkpoint = {
    step: wholeNumber(0).safeParse(step).success ? step : 0,
    config: configOf(model, diffusion, training, images),
    betas: diffusion.schedule.betas,
    position: { epoch: 0, position: 0, length: 1 },
    model: state,
    ema: undefined,
    optimizer: new Map(),
  };
  const assumed = [
    ...assumedBetas,
    ...(options.objective === undefined && told === undefined ? ["objective"] : []),
    ...(options.resnetBlockGroups === undefined ? ["resnetBlockGroups"] : []),
  ];
  return { checkpoint, prefix: found.prefix, assumed };
}

function stateOf({ tensors }: ModelTensors, source: string): State {
  const state = new Map(
    [...tensors].map(([name, tensor]) => [
      name,
      { shape: tensor.shape, dtype: "f32" as const, data: toFloat32(tensor) },
    ]),
  );
  const culprit = findNonFinite(state);
  if (culprit !== undefined) throw new Error(`${source}: ${culprit} has numbers that are not finite`);
  return state;
}

/** Problems that a message names. */
const NAMED = 3;

/** Layers of denoising-diffusion-pytorch's later networks: gains of RMSNorm or LayerNorm, keys that attention keeps. */
const laterLayers = /\.(g|mem_kv)$/;

function checkFamily({ tensors }: ModelTensors, source: string): void {
  const later = [...tensors.keys()].filter((name) => laterLayers.test(name));
  if (later.length === 0) return;
  const more = later.length > NAMED ? ` and ${later.length - NAMED} more` : "";
  throw new Error(
    `${source}: a U-Net of denoising-diffusion-pytorch that unnoise does not have, as its layers are other ones than ` +
      `the article's: with ${later.slice(0, NAMED).join(", ")}${more}`,
  );
}

function checkFits(problems: readonly string[], source: string): void {
  if (problems.length === 0) return;
  const more = problems.length > NAMED ? ` and ${problems.length - NAMED} more` : "";
  throw new Error(`${source}: another U-Net than the one that is read: ${problems.slice(0, NAMED).join(", ")}${more}`);
}

function betasOf(
  all: ReadonlyMap<string, SafeTensor>,
  found: ModelTensors,
  { from, timesteps, betaSchedule, source = "weights" }: ImportOptions,
): { readonly betas: ConstructorParameters<typeof GaussianDiffusion>[0]; readonly assumed: readonly string[] } {
  const buffer = tensorBeside(all, found, "betas");
  if (buffer !== undefined) {
    const betas = Float64Array.from(buffer.dtype === "F64" ? buffer.data : toFloat32(buffer));
    if (timesteps === undefined || timesteps === betas.length) return { betas: { betas }, assumed: [] };
    throw new Error(`${source}: has betas of ${betas.length} timesteps, not of ${timesteps}`);
  }
  const habit = habits[from];
  return {
    betas: { timesteps: timesteps ?? habit.timesteps, betaSchedule: betaSchedule ?? habit.betaSchedule },
    assumed: [
      ...(timesteps === undefined ? ["timesteps"] : []),
      ...(betaSchedule === undefined ? ["betaSchedule"] : []),
    ],
  };
}

/** Where the three objectives have weights far apart, and Min-SNR, whose bound is usually 5, changes none of them. */
const TELLING_BAR = 0.3;

/**
 * What a GaussianDiffusion of denoising-diffusion-pytorch predicts, by the weights of its loss at a timestep: 1 for noise,
 * the ratio of signal to noise for x_0, and alpha bar for v.
 */
function objectiveOf(all: ReadonlyMap<string, SafeTensor>, found: ModelTensors): Objective | undefined {
  const [weights, bars] = ["loss_weight", "alphas_cumprod"].map((name) => {
    const tensor = tensorBeside(all, found, name);
    return tensor === undefined ? [] : Array.from(toFloat32(tensor));
  });
  const distances = bars.map((bar) => Math.abs(bar - TELLING_BAR));
  const t = distances.indexOf(Math.min(...distances));
  if (t === -1 || weights.length !== bars.length) return undefined;
  const candidates: readonly (readonly [Objective, number])[] = [
    ["predNoise", 1],
    ["predX0", bars[t] / (1 - bars[t])],
    ["predV", bars[t]],
  ];
  return candidates.find(([, value]) => Math.abs(weights[t] - value) <= 0.01 * value)?.[0];
}
