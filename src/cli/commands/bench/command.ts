import { Command, Option } from "commander";
import { DEFAULT_SIZE, sizeNames } from "../../../bench/sizes.ts";
import { workloadNames } from "../../../bench/workload-names.ts";
import { wholeNumber } from "../../../config/rules.ts";
import type { BenchFlags } from "./run.ts";
import { addDeviceFlags } from "../../flags/device.ts";
import { numberFlag } from "../../flags/flags.ts";
import { namesFlag } from "../../flags/name-list.ts";

const EXAMPLES = `
Examples:
  $ unnoise bench
  $ unnoise bench --only train --kernels 10    also the ten slowest kernels
  $ unnoise bench --size dim64 --only forward  the width that denoising-diffusion-pytorch starts with
  $ unnoise bench --threads 1 --json

The model is that of The Annotated Diffusion Model, on random images of 28 x 28, or another --size of it. Close other programs first: they
take part in what is measured.`;

export function benchCommand(): Command {
  const count = wholeNumber(1, 100_000);
  const command = new Command("bench")
    .description("Time a training step, a prediction and a sampling step on this machine, and show where time goes.")
    .addOption(
      new Option("--only <names>", "time only these")
        .argParser(namesFlag(workloadNames))
        .default(workloadNames, workloadNames.join(",")),
    )
    .addOption(
      new Option("--size <name>", "the network: its width, as dim64 of 64 channels; single has a batch of one")
        .choices(sizeNames)
        .default(DEFAULT_SIZE),
    )
    .option("--rounds <n>", "how many times each is timed", numberFlag(count), 5)
    .option(
      "--batch-size <n>",
      "images at once (default: by the size, 128 for dim28; half of it for sampling)",
      numberFlag(count),
    )
    .option("--kernels [n]", "also list the slowest kernels one by one (default: 30)", numberFlag(count))
    .option("--json", "print one JSON object instead of tables");
  return addDeviceFlags(command, { precision: true, tune: true })
    .addHelpText("after", EXAMPLES)
    .action(async (flags: BenchFlags) => {
      const { benchRun } = await import("./run.ts");
      await benchRun(flags);
    });
}
