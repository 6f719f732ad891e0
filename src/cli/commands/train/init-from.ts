import type { Checkpoint } from "../../../checkpoint/checkpoint.ts";
import { openCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import { betaSchedule, betaScheduleNames } from "../../../diffusion/process/schedules.ts";
import type { BetaSchedule } from "../../../diffusion/process/schedules.ts";
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

/**
 * A new run that starts from a file's weights: its network is theirs, and so is what it predicts and, unless flags say
 * otherwise, its diffusion and the size and the channels of its images.
 *
 * @throws Error of one line if there is no such file, or a flag asks for another network
 */
export async function startedFrom(
  path: string,
  settings: RunSettings,
  flags: FlagValues,
): Promise<{ readonly settings: RunSettings; readonly initFrom: Checkpoint }> {
  for (const [name, flag] of Object.entries(NETWORK_FLAGS)) {
    if (flags[name] !== undefined) throw new Error(`${flag}: the network is that of --init-from`);
  }
  const { checkpoint } = await openCheckpoint(path);
  const { model, dataset, diffusion } = checkpoint.config;
  if (flags.diffusion !== undefined && flags.diffusion !== diffusion.kind) {
    throw new Error(`--diffusion: must be that of --init-from, ${diffusion.kind}, got ${flags.diffusion as string}`);
  }
  const { channels: _, outDim: __, seed: ___, ...network } = model;
  const { height, width, channels } = dataset;
  return {
    initFrom: checkpoint,
    settings: {
      ...resolveSettings(flags, { ...settings, diffusion: diffusionOf(checkpoint, flags) }),
      imageSize: settings.imageSize ?? [height, width],
      channels: settings.channels ?? channels,
      classes: settings.classes && network.numClasses > 0,
      model: flags.dropout === undefined ? network : { ...network, dropout: flags.dropout },
    },
  };
}

/** How the weights were trained; a schedule by the name that has the same betas. */
function diffusionOf({ config: { diffusion }, betas }: Checkpoint, flags: FlagValues): RunSettings["diffusion"] {
  if (diffusion.kind !== "gaussian") return diffusion;
  const learned = betaScheduleNames.find((name) => isSchedule(name, betas));
  const schedule = (flags.schedule as BetaSchedule | undefined) ?? learned;
  if (schedule !== undefined) return { ...diffusion, betaSchedule: schedule };
  throw new Error("--init-from: its network was trained with betas that no schedule has: say --schedule");
}

function isSchedule(name: BetaSchedule, betas: Checkpoint["betas"]): boolean {
  if (betas === undefined) return false;
  // PyTorch's are rounded to float32.
  return betaSchedule(name, betas.length).every((beta, t) => Math.abs(betas[t] - beta) <= 1e-6 * beta);
}
