import type { Diffusion } from "../../../diffusion/diffusion.ts";
import { formatSummary, summary } from "../../../models/summary.ts";
import type { DiffusionConfig } from "../../../checkpoint/diffusion-config.ts";
import { diffusionFromCheckpoint, trainedModelFromCheckpoint } from "../../../checkpoint/from-checkpoint.ts";
import { heightAndWidth } from "../../../config/image-size.ts";
import { check } from "../../../config/rules.ts";
import { openCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import type { TrainingSettings } from "../../../checkpoint/training-settings.ts";
import type { DiffusionModel } from "../../../models/model.ts";
import { architectureNamed, modelLike } from "../../../models/registry.ts";
import { taskOf } from "../../../training/tasks/tasks.ts";
import { TrainingProgram } from "../../../training/step/training-program.ts";
import { optimizerTitle } from "../../../optim/optimizers.ts";
import { describedPipeline } from "../../../pretrained/pipeline/describe.ts";
import { trainingSettings } from "../../../checkpoint/training-settings.ts";
import { checkPretrainedFlags, pretrainedOptions } from "../../flags/pretrained.ts";
import type { PretrainedFlags } from "../../flags/pretrained.ts";
import { withDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { formatBytes, formatCount, formatScaled } from "../../output/format.ts";
import { presetNamed } from "../../presets/all.ts";
import { print } from "../../output/print.ts";
import { diffusionOf, modelOf } from "../../runs/run-parts.ts";
import { runSettings } from "../../runs/run-settings.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import { usualCheckpoint } from "../../runs/runs.ts";

export interface InfoFlags extends DeviceFlags, PretrainedFlags {
  readonly preset?: string;
  readonly batchSize?: number;
}

/** What a description is made of, from wherever it comes. */
interface Subject {
  readonly title: string;
  /** Lines of their own below the title. */
  readonly facts: readonly string[];
  readonly model: DiffusionModel;
  readonly diffusion: Diffusion;
  readonly training: TrainingSettings;
  readonly imageSize: readonly [number, number];
  /** Shapes of what the model is told of each image. */
  readonly conditionShapes: Readonly<Record<string, readonly number[]>>;
}

/** Bytes of a float32. */
const FLOAT = 4;

/** Prints the description of a checkpoint or of a preset's model. */
export async function describe(path: string | undefined, flags: InfoFlags): Promise<void> {
  if ([path, flags.preset, flags.pretrained].filter((given) => given !== undefined).length > 1)
    throw new Error("give only one of a checkpoint, --preset and --pretrained");
  checkPretrainedFlags(flags);
  const subject =
    flags.pretrained !== undefined
      ? await fromPretrained(flags.pretrained, flags)
      : flags.preset === undefined
        ? await fromCheckpoint(path ?? (await usualCheckpoint({ withClassifiers: true })))
        : fromPreset(flags.preset);
  const { model, imageSize } = subject;
  const layers = summary(model, imageSize);
  const batchSize = flags.batchSize ?? subject.training.batchSize;
  const memory = await trainingMemory(subject, batchSize, flags);
  const copies = subject.training.emaDecay > 0 ? 4 : 3;
  const lines = [
    subject.title,
    modelFact(model),
    ...subject.facts,
    "",
    ...formatSummary(layers).split("\n"),
    "",
    `parameters     ${formatCount(layers.parameters)}, ${formatBytes(layers.parameters * FLOAT)}; while training ${formatBytes(layers.parameters * FLOAT * copies)}`,
    `forward pass   ${formatScaled(layers.flops, "FLOP")} an image of ${imageSize.toReversed().join(" x ")}`,
    `training step  about ${formatScaled(layers.flops * batchSize * 3, "FLOP")} for ${formatCount(batchSize)} images`,
    `               ${memory}`,
  ];
  print(...lines);
}

async function fromCheckpoint(path: string): Promise<Subject> {
  const { checkpoint, path: file, faults } = await openCheckpoint(path);
  const { config, step, position } = checkpoint;
  const { dataset, training } = config;
  const model = await trainedModelFromCheckpoint(checkpoint);
  const diffusion = diffusionFromCheckpoint(checkpoint);
  return {
    title: `checkpoint ${file}`,
    facts: [
      ...faults.map((fault) => `passed over ${fault}`),
      `trained    ${formatCount(step)} steps of ${training.batchSize * training.gradientAccumulateEvery} images, epoch ${position.epoch + 1}`,
      `images     ${dataset.name}: ${formatCount(dataset.length)} of ${dataset.width} x ${dataset.height}, channels ${dataset.channels}`,
      ...(dataset.classNames ? [`classes    ${dataset.classNames.length}: ${dataset.classNames.join(", ")}`] : []),
      diffusionFact(config.diffusion),
      ...drawingFacts(model, diffusion),
      `optimizer  ${optimizerTitle(training.optimizer)}, learning rate ${training.learningRate} (${training.learningRateSchedule}), seed ${training.seed}`,
    ],
    model,
    diffusion,
    training,
    imageSize: [dataset.height, dataset.width],
    conditionShapes: dataset.conditions ?? lengthOf(dataset.contextLength),
  };
}

function fromPreset(name: string): Subject {
  const preset = presetNamed(name);
  const settings = check(runSettings, { preset: preset.name, ...preset.settings }, "preset");
  const diffusion = diffusionOf(settings);
  const { training, imageSize = 28, channels = 1 } = settings;
  const model = modelOf(settings, channels);
  return {
    title: `preset ${preset.name}: ${preset.summary}`,
    facts: [
      diffusionFact(settings.diffusion),
      ...drawingFacts(model, diffusion),
      `optimizer  ${optimizerTitle(training.optimizer)}, learning rate ${training.learningRate} (${training.learningRateSchedule})`,
    ],
    model,
    diffusion,
    training,
    imageSize: heightAndWidth(imageSize),
    conditionShapes: {},
  };
}

/** Of a published pipeline the configs say all; its weights are not read. */
async function fromPretrained(place: string, flags: PretrainedFlags): Promise<Subject> {
  const { className, model, scheduler, imageSize } = await describedPipeline(place, pretrainedOptions(flags, print));
  if (!imageSize) throw new Error(`${place}: its config does not say what size its images are`);
  const { num_train_timesteps: timesteps, beta_schedule: schedule, prediction_type: predicts } = scheduler.config;
  return {
    title: `${className} ${place}`,
    facts: [
      `scheduler  ${scheduler.className}: ${String(timesteps)} timesteps, ${String(schedule)}, predicts ${String(predicts)}`,
      `images     ${imageSize.toReversed().join(" x ")}, channels ${model.channels}`,
    ],
    model,
    diffusion: scheduler.diffusion,
    training: check(trainingSettings, { batchSize: 1, learningRate: 1e-4 }, "training"),
    imageSize,
    conditionShapes: {},
  };
}

/** The network and its options, but for those that others follow from. */
function modelFact({ architecture, options }: DiffusionModel): string {
  const { seed: _, ...named } = options;
  const values = Object.entries(named).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `network    ${architectureNamed(architecture).title} (--model ${architecture}): ${values.join(", ")}`;
}

/** One line about what a model was trained for; a checkpoint does not name its schedule. */
function diffusionFact(diffusion: RunSettings["diffusion"] | DiffusionConfig): string {
  if (diffusion.kind === "edm") {
    const { sigmaData, pMean, pStd } = diffusion;
    return `diffusion  EDM, sigmaData ${sigmaData}, ln sigma ~ N(${pMean}, ${pStd}^2)`;
  }
  if (diffusion.kind === "rectifiedFlow") {
    const { timeDistribution, shift } = diffusion;
    return `diffusion  rectified flow, ${timeDistribution} times, shift ${shift}`;
  }
  if (diffusion.kind === "score") {
    return `diffusion  score-based, ${diffusion.sde.toUpperCase()}`;
  }
  const { timesteps, objective, lossType, varianceType } = diffusion;
  const schedule = "betaSchedule" in diffusion ? `, ${diffusion.betaSchedule}` : "";
  const variance = varianceType === "learnedRange" ? " and its variance" : "";
  return `diffusion  ${timesteps} timesteps${schedule}, ${objective}${variance}, loss ${lossType}`;
}

/** How it draws unless told otherwise, if it draws. */
function drawingFacts({ predicts }: DiffusionModel, diffusion: Diffusion): string[] {
  if (predicts !== "images") return [];
  const { sampler, visited } = diffusion.plan();
  const { sampler: _, steps: __, ...options } = diffusion.sampling ?? { sampler };
  const values = Object.entries(options).map(([name, value]) => `, ${name} ${JSON.stringify(value)}`);
  return [`drawing    ${sampler} in ${visited} steps${values.join("")}`];
}

/** Shapes in a file from when there were no others of any length. */
function lengthOf(contextLength: number | undefined): Subject["conditionShapes"] {
  return contextLength === undefined ? {} : { context: [contextLength, 0], contextMask: [contextLength] };
}

/** What the memory plan of the training step asks for on a device. */
async function trainingMemory(subject: Subject, batchSize: number, flags: InfoFlags): Promise<string> {
  const { model, diffusion, training, imageSize, conditionShapes } = subject;
  return withDevice(flags, async (backend) => {
    const settings = { ...training, batchSize };
    const averages = training.emaDecay > 0 ? modelLike(model).parameters() : undefined;
    const task = taskOf(model, diffusion, settings, conditionShapes);
    const program = new TrainingProgram({ backend, task, parameters: model.parameters(), averages, settings });
    const { workspaceBytes, parts } = await program.prepare([batchSize, ...imageSize, model.channels]);
    program.dispose();
    const split = parts > 1 ? `, in ${parts} parts of ${formatCount(batchSize / parts)} images` : "";
    return `${formatBytes(workspaceBytes)} of memory besides the parameters (plan of ${backend.name})${split}`;
  });
}
