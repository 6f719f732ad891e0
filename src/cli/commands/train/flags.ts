import { Option } from "commander";
import type { Command } from "commander";
import type * as z from "zod/mini";
import { varianceTypes } from "../../../diffusion/denoiser.ts";
import { lossTypes } from "../../../diffusion/objectives/loss-type.ts";
import { betaScheduleNames } from "../../../diffusion/process/schedules.ts";
import { timestepSpacingNames } from "../../../diffusion/process/timestep-spacing.ts";
import { samplerNames } from "../../../diffusion/samplers/registry.ts";
import { check, numberWithin, wholeNumber } from "../../../config/rules.ts";
import {
  diffusionKinds,
  elucidatedSettings,
  gaussianSettings,
  rectifiedFlowSettings,
  settingsOfKind,
} from "../../../checkpoint/diffusion-config.ts";
import type { DiffusionConfig } from "../../../checkpoint/diffusion-config.ts";
import { objectiveNames } from "../../../diffusion/objectives/objective.ts";
import { sdeNames } from "../../../diffusion/score-diffusion.ts";
import { timeDistributions } from "../../../diffusion/rectified-flow.ts";
import { trainingSettings } from "../../../checkpoint/training-settings.ts";
import { modelOptions } from "../../../models/model.ts";
import { architectureNames } from "../../../models/registry.ts";
import { unetOptions } from "../../../models/unet/options.ts";
import { weightStandardizations } from "../../../nn/conv2d.ts";
import { optimizerNames } from "../../../optim/optimizers.ts";
import { fitDefaults } from "./fit-defaults.ts";
import { numberFlag, numbersFlag } from "../../flags/flags.ts";
import { channelsOption, imageSizeOption, skipBrokenOption } from "../../flags/images/data.ts";
import { modelOptionFlag } from "../../flags/model-option.ts";
import { defaultPreset, presetNamed } from "../../presets/all.ts";
import { runSettings } from "../../runs/run-settings.ts";
import type { RunSettings } from "../../runs/run-settings.ts";

/** What a setting of a run is on the command line. */
export interface SettingFlag {
  readonly option: Option;
  /** Where the value goes in the settings: training.batchSize */
  readonly path: string;
}

const count = wholeNumber(1);
const training = trainingSettings.shape;
const diffusion = gaussianSettings.shape;

/** A setting of a schema as the rule that a flag is checked by. */
type NumberRule = z.ZodMiniType<number>;

function number(flags: string, path: string, help: string, rule: NumberRule): SettingFlag {
  const parse = numberFlag(rule);
  return { path, option: new Option(flags, help).argParser((text: string) => parse(text)) };
}

function word(flags: string, path: string, help: string, choices?: readonly string[]): SettingFlag {
  const option = new Option(flags, help);
  return { path, option: choices ? option.choices(choices) : option };
}

const steps = number("--steps <n>", "length.steps", "train up to this many steps, those already done included", count);
steps.option.conflicts("epochs");

const groups: Readonly<Record<string, readonly SettingFlag[]>> = {
  "Length:": [
    steps,
    number("--epochs <n>", "length.epochs", "train up to this many passes over the data instead", count),
  ],
  "Data:": [
    word(
      "--data <name|path>",
      "data",
      "fashion-mnist, mnist, cifar10, hub:<dataset> from Hugging Face, an IDX or Parquet file, or a directory of IDX files or of images",
    ),
    { path: "imageSize", option: imageSizeOption() },
    { path: "channels", option: channelsOption() },
    word("--classes", "classes", "take a directory's subdirectories for classes that the model is told (default)"),
    word("--no-classes", "classes", "take them for nothing"),
    { path: "skipBroken", option: skipBrokenOption() },
    word("--flip", "training.randomHorizontalFlip", "mirror half of the images, picked at random"),
    word("--no-flip", "training.randomHorizontalFlip", "leave all images as they are"),
  ],
  "Model:": [
    number("--dim <n>", "model.dim", "channels of the U-Net's first resolution", unetOptions.shape.dim),
    {
      path: "model.dimMults",
      option: new Option("--dim-mults <n,...>", "channels of each resolution in multiples of --dim").argParser(
        (text: string) => numbersFlag(count)(text),
      ),
    },
    number("--attention-heads <n>", "model.attentionHeads", "heads of every attention layer", count),
    number(
      "--num-classes <n>",
      "model.numClasses",
      "classes of the data (subdirectories of images) that the model is told; 0 for none",
      modelOptions.numClasses,
    ),
    word("--model <name>", "model.architecture", "the network's architecture", architectureNames()),
    word(
      "--weight-standardization <name>",
      "model.weightStandardization",
      "standardized: as the paper that the article cites; printed: as the article's code computes it",
      weightStandardizations,
    ),
    number("--dropout <x>", "model.dropout", "share of values that blocks drop in training", unetOptions.shape.dropout),
    word("--self-condition", "model.selfCondition", "feed the model's own estimate back to it"),
  ],
  "Diffusion:": [
    word(
      "--diffusion <name>",
      "diffusion.kind",
      "gaussian: timesteps of a schedule; edm: any noise level, by Karras et al. (2022); rectifiedFlow: straight paths; score: an SDE",
      diffusionKinds,
    ),
    word("--schedule <name>", "diffusion.betaSchedule", "how noise grows with time", betaScheduleNames),
    word(
      "--scale-betas",
      "diffusion.scaleBetas",
      "keep its noise with other timesteps than 1000: betas times 1000 / timesteps",
    ),
    number("--timesteps <n>", "diffusion.timesteps", "timesteps of the schedule", count),
    word("--objective <name>", "diffusion.objective", "what the model predicts", objectiveNames),
    word(
      "--loss <name>",
      "diffusion.lossType",
      "how its error is measured; vlb: by the bound on the likelihood, with a learned variance",
      lossTypes,
    ),
    word("--min-snr-loss-weight", "diffusion.minSnrLossWeight", "weight the loss by Min-SNR-5"),
    word(
      "--variance-type <name>",
      "diffusion.varianceType",
      "noise of ddpm's steps; learnedRange learns it beside the objective",
      varianceTypes,
    ),
    number(
      "--vb-loss-weight <x>",
      "diffusion.vbLossWeight",
      "what the bound that teaches it counts in the loss",
      diffusion.vbLossWeight,
    ),
    number(
      "--sampling-timesteps <n>",
      "diffusion.samplingTimesteps",
      "steps of sampling; without --sampler fewer than --timesteps use DDIM; by default 18 of edm, 50 of rectifiedFlow, 1000 of score",
      count,
    ),
    word("--sampler <name>", "diffusion.sampling.sampler", "how samples are drawn unless told otherwise", samplerNames),
    word(
      "--timestep-spacing <name>",
      "diffusion.sampling.timestepSpacing",
      "how its steps are spread over the timesteps",
      timestepSpacingNames,
    ),
    number(
      "--sigma-data <x>",
      "diffusion.sigmaData",
      "deviation of the images' values within [-1, 1], for edm (default: 0.5)",
      elucidatedSettings.shape.sigmaData,
    ),
    number(
      "--p-mean <x>",
      "diffusion.pMean",
      "mean of the logarithm of the noise levels that edm trains on (default: -1.2)",
      elucidatedSettings.shape.pMean,
    ),
    number("--p-std <x>", "diffusion.pStd", "its deviation (default: 1.2)", elucidatedSettings.shape.pStd),
    word("--sde <name>", "diffusion.sde", "of score: exploding or preserving variance (default: ve)", sdeNames),
    word(
      "--time-distribution <name>",
      "diffusion.timeDistribution",
      "how often rectifiedFlow trains on which times (default: uniform)",
      timeDistributions,
    ),
    number(
      "--shift <x>",
      "diffusion.shift",
      "moves rectifiedFlow's times towards noise, for larger images (default: 1)",
      rectifiedFlowSettings.shape.shift,
    ),
    number(
      "--eta <x>",
      "diffusion.ddimSamplingEta",
      "noise that DDIM, or --sampler, adds, 0 to 1",
      diffusion.ddimSamplingEta,
    ),
  ],
  "Training:": [
    number("--batch-size <n>", "training.batchSize", "images per step", training.batchSize),
    number(
      "--gradient-accumulate-every <n>",
      "training.gradientAccumulateEvery",
      "batches per step",
      training.gradientAccumulateEvery,
    ),
    number(
      "--cond-drop-prob <x>",
      "training.condDropProb",
      "share of images whose class is withheld, for guidance; 0 for none",
      training.condDropProb,
    ),
    word(
      "--schedule-sampler <name>",
      "training.scheduleSampler",
      "how timesteps are drawn; importance: by their losses",
      ["uniform", "importance"],
    ),
    word("--optimizer <name>", "training.optimizer", "what turns gradients into steps", optimizerNames),
    number("--lr <x>", "training.learningRate", "its learning rate", training.learningRate),
    number(
      "--weight-decay <x>",
      "training.weightDecay",
      "how far parameters shrink (default: 0.01 for adamw, else 0)",
      numberWithin(0, Number.MAX_VALUE),
    ),
    number("--momentum <x>", "training.momentum", "share of the last step that sgd keeps", training.momentum),
    word("--lr-schedule <name>", "training.learningRateSchedule", "how it moves after the warm-up", [
      "constant",
      "cosine",
    ]),
    number("--warmup-steps <n>", "training.warmupSteps", "steps in which it rises to --lr", training.warmupSteps),
    number(
      "--max-grad-norm <x>",
      "training.maxGradNorm",
      "clip gradients to this norm; 0 clips nothing",
      training.maxGradNorm,
    ),
    number(
      "--ema-decay <x>",
      "training.emaDecay",
      "decay of the averaged model that draws the samples; 0 for none",
      training.emaDecay,
    ),
    number("--ema-update-every <n>", "training.emaUpdateEvery", "steps between its updates", training.emaUpdateEvery),
    number(
      "--validation-split <x>",
      "training.validationSplit",
      "share of the images to hold out, whose loss is measured",
      training.validationSplit,
    ),
    number("--validate-every <n>", "training.validateEvery", "steps between measurements", training.validateEvery),
    number("--seed <n>", "training.seed", "all randomness follows from it", training.seed),
  ],
  "Output:": [
    number("--save-every <n>", "saveEvery", "steps between checkpoints", count),
    number("--keep <n>", "keep", "checkpoints that stay", count),
    number(
      "--sample-every <n>",
      "sampleEvery",
      "steps between grids of samples; 0 draws none before the end",
      wholeNumber(0),
    ),
    number("--samples <n>", "samples", "images of the grid at the end", count),
  ],
};

/** For what there is no flag of its own, as docs/models.md has it. */
const modelOption = new Option(
  "--model-option <name=value>",
  "an option of the network by its name in docs/models.md, such as depth=6 or channelMult=1,2; may be repeated",
).argParser(modelOptionFlag);

export const settingFlags: readonly SettingFlag[] = Object.values(groups).flat();

/** Adds a flag for every setting of a run. */
export function addSettingFlags(command: Command): void {
  for (const [heading, flags] of Object.entries(groups)) {
    for (const { option } of flags) command.addOption(option.helpGroup(heading));
  }
  command.addOption(modelOption.helpGroup("Model:"));
}

export type FlagValues = Readonly<Record<string, unknown>>;

/**
 * The settings of a run: a preset's or those that the run was started with, changed by flags.
 *
 * @param recorded the settings of the run to go on with, if there is one
 */
export function resolveSettings(flags: FlagValues, recorded?: RunSettings): RunSettings {
  const preset = typeof flags.preset === "string" ? presetNamed(flags.preset) : defaultPreset;
  const settings: Record<string, unknown> = structuredClone(recorded ?? { preset: preset.name, ...preset.settings });
  if (flags.steps !== undefined && flags.epochs !== undefined)
    throw new Error("give either --steps or --epochs, not both");
  if (flags.steps !== undefined || flags.epochs !== undefined) settings.length = {};
  if (flags.model !== undefined && flags.model !== architectureOf(settings)) settings.model = {};
  const kind = flags.diffusion ?? (recorded ? kindOf(settings) : kindFor(flags, kindOf(settings)));
  if (kind !== kindOf(settings)) settings.diffusion = freshDiffusion(kind);
  const drawn = settings.diffusion as { sampling?: { readonly sampler: string } };
  // Options of one sampler are not those of another.
  if (flags.sampler !== undefined && flags.sampler !== drawn.sampling?.sampler) delete drawn.sampling;
  for (const { option, path } of settingFlags) {
    const value = flags[option.attributeName()];
    if (value === undefined) continue;
    checkIsFor(kindOf(settings), option, path);
    assign(settings, path.split("."), value);
  }
  Object.assign(settings.model as object, flags.modelOption);
  fitDefaults(settings, flags);
  return check(runSettings, settings, "settings");
}

type DiffusionKind = DiffusionConfig["kind"];

function kindOf(settings: Readonly<Record<string, unknown>>): DiffusionKind {
  return (settings.diffusion as { readonly kind?: DiffusionKind }).kind ?? "gaussian";
}

function architectureOf(settings: Readonly<Record<string, unknown>>): string {
  return (settings.model as { readonly architecture?: string }).architecture ?? "unet";
}

/** Flags of a schedule's timesteps ask for it where a preset knows none. */
function kindFor(flags: FlagValues, kind: DiffusionKind): DiffusionKind {
  const given = settingFlags.filter(({ option }) => flags[option.attributeName()] !== undefined);
  return kind !== "gaussian" && given.some(({ path }) => !isFor(kind, path)) ? "gaussian" : kind;
}

/** Where settings of another kind of diffusion are of no use. */
function freshDiffusion(kind: unknown): unknown {
  return kind === "gaussian" ? structuredClone(defaultPreset.settings.diffusion) : { kind };
}

function isFor(kind: DiffusionKind, path: string): boolean {
  const [section, name] = path.split(".");
  const shape = {
    ...settingsOfKind(kind).shape,
    ...(kind === "gaussian" && { betaSchedule: undefined, scaleBetas: undefined }),
  };
  return section !== "diffusion" || Object.hasOwn(shape, name);
}

/** @throws one line, if a flag is for another kind of diffusion */
function checkIsFor(kind: DiffusionKind, option: Option, path: string): void {
  if (!isFor(kind, path)) throw new Error(`${option.long}: is not for --diffusion ${kind}`);
}

function assign(target: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) target[key] = value;
  else assign((target[key] ??= {}) as Record<string, unknown>, rest, value);
}
