import { Command, Option } from "commander";
import { wholeNumber } from "../../../config/rules.ts";
import { addDeviceFlags } from "../../flags/device.ts";
import { addPretrainedFlags } from "../../flags/pretrained.ts";
import { numberFlag } from "../../flags/flags.ts";
import type { InfoFlags } from "./report.ts";
import { presets } from "../../presets/all.ts";

const EXAMPLES = `
Examples:
  $ unnoise info                         the latest run
  $ unnoise info runs/fashion-mnist/checkpoints/step-500.safetensors
  $ unnoise info --preset annotated --batch-size 32
  $ unnoise info --pretrained google/ddpm-church-256   its configs alone are fetched`;

export function infoCommand(): Command {
  const names = presets.map(({ name }) => name);
  const command = new Command("info")
    .description(
      "Describe a model: its layers, parameters, floating-point operations and memory, and how it was trained.",
    )
    .argument(
      "[checkpoint]",
      "a checkpoint file or a run directory (default: the latest run, or the model that comes with unnoise)",
    )
    .addOption(new Option("--preset <name>", "describe the model of a preset instead").choices(names))
    .option(
      "--batch-size <n>",
      "batch size to compute the memory of a training step for (default: as trained)",
      numberFlag(wholeNumber(1)),
    );
  addPretrainedFlags(command, "describe");
  return addDeviceFlags(command)
    .addHelpText("after", EXAMPLES)
    .action(async (checkpoint: string | undefined, flags: InfoFlags) => {
      const { describe } = await import("./report.ts");
      await describe(checkpoint, flags);
    });
}
