import { Command } from "commander";
import { numberWithin, wholeNumber } from "../../../config/rules.ts";
import { addDeviceFlags } from "../../flags/device.ts";
import { DATA_PLACES, addSizedDataFlags } from "../../flags/images/data.ts";
import { numberFlag } from "../../flags/flags.ts";
import { seedOption } from "../../flags/drawing/sampling.ts";
import type { TrainClassifierFlags } from "./run.ts";

const EXAMPLES = `
Examples:
  $ unnoise train-classifier                       the one that comes with unnoise, made again
  $ unnoise train-classifier --data mnist --out digits.safetensors
  $ unnoise evaluate --features digits.safetensors

The dataset needs labels: a published one, an IDX pair, or a directory with one directory of images
per class. The same data, seed and device give the same file.`;

export function trainClassifierCommand(): Command {
  const count = wholeNumber(1, 1_000_000);
  const command = new Command("train-classifier")
    .description(
      "Train a small classifier of images on their labels. What it sees in images is what unnoise evaluate compares.",
    )
    .option("--data <name>", DATA_PLACES, "fashion-mnist")
    .option("--epochs <n>", "how often it sees every image", numberFlag(count), 6)
    .option("--batch-size <n>", "images per step", numberFlag(count), 64)
    .option("--lr <x>", "highest learning rate of Adam", numberFlag(numberWithin(1e-8, 1)), 2e-3)
    .addOption(seedOption("all randomness follows from it").default(0))
    .option("--out <file>", "where to write it", "classifier.safetensors");
  return addDeviceFlags(addSizedDataFlags(command))
    .addHelpText("after", EXAMPLES)
    .action(async (flags: TrainClassifierFlags) => {
      const { trainClassifierRun } = await import("./run.ts");
      process.exitCode = await trainClassifierRun(flags);
    });
}
