import { Command, Option } from "commander";
import { samplerNames } from "../../../diffusion/samplers/registry.ts";
import { numberWithin, wholeNumber } from "../../../config/rules.ts";
import { addDeviceFlags } from "../../flags/device.ts";
import type { EvaluateFlags } from "./flags.ts";
import { numberFlag, numbersFlag } from "../../flags/flags.ts";
import { DATA_PLACES, addDataFlags } from "../../flags/images/data.ts";
import { addModelFlags } from "../../flags/model.ts";
import { samplingSizeOption, seedOption } from "../../flags/drawing/sampling.ts";
import { addWayFlags } from "../../flags/drawing/way.ts";
import { namesFlag } from "../../flags/name-list.ts";

const EXAMPLES = `
Examples:
  $ unnoise evaluate                                  1,000 samples of the latest run
  $ unnoise evaluate --sampler ddim,uniPC --steps 5,10,20 --json samplers.json
  $ unnoise evaluate --images drawn/ --data fashion-mnist
  $ unnoise evaluate --images samples-idx3-ubyte.gz --data fashion-mnist
  $ unnoise evaluate -n 5000 --out nearest.png        also show what samples are nearest to
  $ unnoise evaluate --features inception.safetensors
  $ unnoise evaluate --features untrained             of images without labels, of any size
  $ unnoise evaluate --guidance 3 --json              how many samples are of their class, too
  $ unnoise evaluate --nll                            the bound on the likelihood of test images

fid and kid are distances between the features of samples and of the dataset: 0 is best, and only
numbers of equal -n and equal features compare. precision is the share of samples that look like the
dataset, recall the share of the dataset that samples look like. novelty is how far samples are from
the nearest image of the dataset, relative to how far those are from each other: a model that copies
comes much below 1. "of class" is the share of a class's samples that the classifier calls so; the
JSON has it for each class.

Every pair of --sampler and --steps gives one row; the model is loaded once. A file named by --json
gets each row as it comes, and the same command goes on where it stopped. A report of anything else,
of other images under the same name too, is not overwritten. Seeds 0, 1, 2, ... are independent.`;

/** Of the variational bound: as many evaluations of the model as there are timesteps. */
const NLL_IMAGES = 64;

export function evaluateCommand(): Command {
  const command = new Command("evaluate")
    .description("Measure how good a model's samples, or other images, are beside a dataset.")
    .option("--images <path>", "evaluate the images of a directory or of an IDX file instead of drawing samples")
    .option("--data <name>", `the dataset: ${DATA_PLACES} (default: what the model was trained on)`)
    .addOption(
      new Option("--split <name>", "the part of a published dataset (default: train, with --nll test)").choices([
        "train",
        "test",
      ]),
    )
    .addOption(samplingSizeOption())
    .option("--resize", "scale and cut --images, or take the gray of them, where they are not as the dataset's are")
    .option(
      "--features <file>",
      "an Inception-v3, a classifier of train-classifier, or untrained for random weights (default: a classifier of garments)",
    )
    .option("-n, --number <n>", "samples to draw", numberFlag(wholeNumber(10, 1_000_000)), 1000)
    .option(
      "--nll [images]",
      `measure instead how likely the model makes images, in bits per dimension (default: ${NLL_IMAGES} images)`,
      numberFlag(wholeNumber(1)),
    )
    .addOption(seedOption("which samples: those of two seeds are independent").default(0))
    .addOption(
      new Option("--sampler <names>", `by which samplers: ${samplerNames.join(", ")}`).argParser(
        namesFlag(samplerNames),
      ),
    )
    .option("--steps <numbers>", "with how many steps (default: as trained)", numbersFlag(wholeNumber(1)))
    .option(
      "--guidance <scale>",
      "how far samples go towards their class: 1 draws as trained (default: 1)",
      numberFlag(numberWithin(-100, 100)),
    )
    .option("--json [file]", "print JSON, or write it to a file row by row")
    .option("--out <picture>", "write a picture of the samples nearest to the dataset, with their neighbours");
  addWayFlags(addModelFlags(addDataFlags(command)));
  return addDeviceFlags(command)
    .addHelpText("after", EXAMPLES)
    .action(async (flags: EvaluateFlags) => {
      if (flags.nll !== undefined) {
        const { likelihoodRun } = await import("./likelihood.ts");
        process.exitCode = await likelihoodRun(flags, flags.nll === true ? NLL_IMAGES : flags.nll);
        return;
      }
      const { evaluateRun } = await import("./run.ts");
      process.exitCode = await evaluateRun(flags);
    });
}
