import type { Checkpoint } from "../../../checkpoint/checkpoint.ts";
import { openCheckpoint } from "../../../checkpoint/run-directory.node.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import type { FlagValues } from "./flags.ts";

/** Flags of the network, which is that of the weights. */
const NETWORK_FLAGS = {
  model: "--model",
  modelOption: "--model-option",
  dim: "--dim",
  dimMults: "--dim-mults",
  attentionHeads: "--attention-heads",
  numClasses: "--num-classes",
  weightStandardization: "--weight-standardization",
  selfCondition: "--self-condition",
} as const;

/**
 * A new run that starts from a file's weights: its network is theirs, and so is what it predicts and, unless flags say
 * otherwise, the size and the channels of its images.
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
  const { channels: _, outDim: __, seed: ___, ...network } = model;
  const { height, width, channels } = dataset;
  return {
    initFrom: checkpoint,
    settings: {
      ...settings,
      imageSize: settings.imageSize ?? [height, width],
      channels: settings.channels ?? channels,
      classes: settings.classes && network.numClasses > 0,
      model: flags.dropout === undefined ? network : { ...network, dropout: flags.dropout },
      diffusion: diffusionLike(settings.diffusion, diffusion),
    },
  };
}

/** What is asked of the network stays what it has learned. */
function diffusionLike(
  own: RunSettings["diffusion"],
  learned: Checkpoint["config"]["diffusion"],
): RunSettings["diffusion"] {
  if (own.kind === "gaussian" && learned.kind === "gaussian") {
    const { objective, varianceType } = learned;
    return { ...own, objective, varianceType };
  }
  if (own.kind === learned.kind) return own;
  throw new Error(
    `--init-from: its network was trained with --diffusion ${learned.kind}, this run asks for ${own.kind}`,
  );
}
