import { Option } from "commander";
import type { Command } from "commander";
import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { modelFromCheckpoint } from "../../checkpoint/from-checkpoint.ts";
import type { DiffusionModel } from "../../models/model.ts";
import { storageDtypes } from "../../tensor/half-storage.ts";
import type { StorageDtype } from "../../tensor/half-storage.ts";

/** Which trained model a command draws with, and how it is loaded: flags that all such commands have. */
export interface ModelFlags {
  readonly checkpoint?: string;
  /** Whether the averages are taken. */
  readonly ema: boolean;
  /** What the weights take in memory. */
  readonly weights?: StorageDtype;
}

/** @param meaning what is particular about the checkpoint that is taken where none is named */
export function addModelFlags(command: Command, meaning = ""): Command {
  const options = [
    new Option(
      "--checkpoint <path>",
      `a checkpoint file or a run directory (default: the latest run${meaning}, or else the model that comes with unnoise)`,
    ),
    emaOption(),
    new Option(
      "--weights <dtype>",
      "what the model's weights take in memory: f16 and bf16 half as much, rounded (default: f32)",
    ).choices(storageDtypes),
  ];
  for (const option of options) command.addOption(option.helpGroup("Model:"));
  return command;
}

export function emaOption(): Option {
  return new Option("--no-ema", "use the model's weights themselves instead of their average");
}

/** The model of a checkpoint, as the flags ask for it. */
export function loadModel(checkpoint: Checkpoint, { ema, weights }: ModelFlags): Promise<DiffusionModel> {
  return modelFromCheckpoint(checkpoint, { ema, weights });
}
