import { Command, Option } from "commander";
import { betaScheduleNames } from "../../../diffusion/process/schedules.ts";
import { wholeNumber } from "../../../config/rules.ts";
import { numberFlag, numbersFlag } from "../../flags/flags.ts";
import { seedOption } from "../../flags/drawing/sampling.ts";
import type { NoiseFlags } from "./run.ts";

const EXAMPLES = `
Examples:
  $ unnoise noise cat.jpg
  $ unnoise noise cat.jpg --schedule cosine --timesteps 1000 --at 0,250,500,750,999 --out cosine.png`;

export function noiseCommand(): Command {
  return new Command("noise")
    .description(
      "Show what the forward process does to an image: a row of it at several timesteps, noisier to the right.",
    )
    .argument("<image>", "a PNG, JPEG or WebP file")
    .addOption(
      new Option("--schedule <name>", "how noise grows with time").choices(betaScheduleNames).default("linear"),
    )
    .option("--timesteps <n>", "timesteps of the schedule", numberFlag(wholeNumber(1, 1_000_000)), 300)
    .option(
      "--at <t,...>",
      "timesteps to show, from 0 (default: 0,50,100,150,199 of 300, and as much of others)",
      numbersFlag(wholeNumber(0)),
    )
    .option(
      "--size <n>",
      "size in pixels that the image is scaled and cropped to",
      numberFlag(wholeNumber(1, 4096)),
      128,
    )
    .addOption(seedOption("what the noise follows from").default(0))
    .option("--out <file>", "where to write: .png, .jpg or .webp", "noise.png")
    .addHelpText("after", EXAMPLES)
    .action(async (image: string, flags: NoiseFlags) => {
      const { noiseRow } = await import("./run.ts");
      await noiseRow(image, flags);
    });
}
