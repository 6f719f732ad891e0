import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { betasOf, diffusionConfigOf } from "../../../checkpoint/diffusion-config.ts";
import type { DiffusionConfig } from "../../../checkpoint/diffusion-config.ts";
import { openCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import type { ImageSize } from "../../../config/image-size.ts";
import { betaSchedule, betaScheduleNames } from "../../../diffusion/process/schedules.ts";
import type { BetaSchedule, Betas } from "../../../diffusion/process/schedules.ts";
import { modelConfigOf } from "../../../models/registry.ts";
import type { ModelConfig } from "../../../models/registry.ts";
import type { State } from "../../../optim/state.ts";
import { isRepositoryId } from "../../../pretrained/hub/repository.ts";
import { pretrainedOptions } from "../../flags/pretrained.ts";
import type { PretrainedFlags } from "../../flags/pretrained.ts";
import { print } from "../../output/print.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import { resolveSettings } from "./flags.ts";
import type { FlagValues } from "./flags.ts";

/** Flags of the network and of what it predicts, which are those of the weights. */
const NETWORK_FLAGS = {
  model: "--model",
  modelOption: "--model-option",
  dim: "--dim",
  dimMults: "--dim-mults",
  attentionHeads: "--attention-heads",
  numClasses: "--num-classes",
  weightStandardization: "--weight-standardization",
  selfCondition: "--self-condition",
  objective: "--objective",
  varianceType: "--variance-type",
} as const;

/** What a new run takes over from weights that are there. */
interface Start {
  readonly model: ModelConfig;
  readonly diffusion: DiffusionConfig;
  readonly betas: Betas | undefined;
  readonly imageSize: ImageSize | undefined;
  readonly channels: number;
  readonly weights: State;
}

/** Whether weights come from a folder of diffusers or from the hub, and not from a run or a checkpoint. */
export async function isPretrained(place: string): Promise<boolean> {
  const status = await stat(place).catch(() => undefined);
  if (status === undefined) return isRepositoryId(place) && !place.endsWith(".safetensors");
  return status.isDirectory() && existsSync(join(place, "model_index.json"));
}

/**
 * A new run that starts from weights: its network is theirs, and so is what it predicts and, unless flags say otherwise,
 * its diffusion and the size and the channels of its images.
 *
 * @throws Error of one line if there are no such weights, or a flag asks for another network
 */
export async function startedFrom(
  place: string,
  settings: RunSettings,
  flags: FlagValues & PretrainedFlags,
): Promise<{ readonly settings: RunSettings; readonly initFrom: State }> {
  for (const [name, flag] of Object.entries(NETWORK_FLAGS)) {
    if (flags[name] !== undefined) throw new Error(`${flag}: the network is that of --from`);
  }
  const { model, diffusion, imageSize, channels, weights, betas } = (await isPretrained(place))
    ? await fromPipeline(place, flags)
    : await fromCheckpoint(place);
  if (flags.diffusion !== undefined && flags.diffusion !== diffusion.kind) {
    throw new Error(`--diffusion: must be that of --from, ${diffusion.kind}, got ${flags.diffusion as string}`);
  }
  const { channels: _, outDim: __, seed: ___, ...network } = model;
  return {
    initFrom: weights,
    settings: {
      ...resolveSettings(flags, { ...settings, diffusion: diffusionOf(diffusion, betas, flags) }),
      imageSize: (flags.imageSize as ImageSize | undefined) ?? imageSize ?? settings.imageSize,
      channels: (flags.channels as number | undefined) ?? channels,
      classes: settings.classes && network.numClasses > 0,
      model: flags.dropout === undefined ? network : { ...network, dropout: flags.dropout },
    },
  };
}

async function fromCheckpoint(path: string): Promise<Start> {
  const { checkpoint } = await openCheckpoint(path);
  const { model, dataset, diffusion } = checkpoint.config;
  const { height, width, channels } = dataset;
  const weights = checkpoint.ema ?? checkpoint.model;
  return { model, diffusion, betas: checkpoint.betas, imageSize: [height, width], channels, weights };
}

async function fromPipeline(place: string, flags: PretrainedFlags): Promise<Start> {
  const { DiffusionPipeline } = await import("../../../pretrained/pipeline/pipeline.ts");
  const { model, diffusion, imageSize } = await DiffusionPipeline.fromPretrained(
    place,
    pretrainedOptions(flags, print),
  );
  const weights = await model.stateDict();
  model.dispose();
  return {
    model: modelConfigOf(model),
    // As many as diffusers' DDIMPipeline takes, for the samples of a run.
    diffusion: { ...diffusionConfigOf(diffusion), samplingTimesteps: Math.min(50, diffusion.timesteps) },
    betas: betasOf(diffusion),
    imageSize,
    channels: model.channels,
    weights,
  };
}

/** How the weights were trained; a schedule by the name that has the same betas. */
function diffusionOf(
  diffusion: DiffusionConfig,
  betas: Betas | undefined,
  flags: FlagValues,
): RunSettings["diffusion"] {
  if (diffusion.kind !== "gaussian") return diffusion;
  const learned = betaScheduleNames.find((name) => isSchedule(name, betas));
  const schedule = (flags.schedule as BetaSchedule | undefined) ?? learned;
  if (schedule !== undefined) return { ...diffusion, betaSchedule: schedule, scaleBetas: false };
  throw new Error("--from: its network was trained with betas that no schedule has: say --schedule");
}

function isSchedule(name: BetaSchedule, betas: Betas | undefined): boolean {
  if (betas === undefined) return false;
  // PyTorch's are rounded to float32, those of diffusers as products: 2^-24 of abar, which is below 1.
  return betaSchedule(name, betas.length).every((beta, t) => Math.abs(betas[t] - beta) <= 1e-6 * beta + 2 ** -23);
}
