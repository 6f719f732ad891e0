import { Option } from "commander";
import { numberWithin, wholeNumber } from "../../config/rules.ts";
import { timestepSpacingNames } from "../../diffusion/process/timestep-spacing.ts";
import { storageDtypes } from "../../tensor/half-storage.ts";
import { numberFlag } from "./flags.ts";
import { imageSizeFlag } from "./image-size.ts";

/** Flags that several commands have which draw with a trained model, each with one meaning. */

export function checkpointOption(meaning = ""): Option {
  return new Option(
    "--checkpoint <path>",
    `a checkpoint file or a run directory (default: the latest run${meaning}, or else the model that comes with unnoise)`,
  );
}

export function emaOption(): Option {
  return new Option("--no-ema", "use the model's weights themselves instead of their average");
}

export function weightsOption(): Option {
  return new Option(
    "--weights <dtype>",
    "what the model's weights take in memory: f16 and bf16 half as much, rounded (default: f32)",
  ).choices(storageDtypes);
}

export function samplingSizeOption(): Option {
  return new Option(
    "--image-size <size>",
    "side, or width x height as in 48x32, of the images (default: that of the images the model has seen)",
  ).argParser(imageSizeFlag);
}

export function timestepSpacingOption(): Option {
  return new Option(
    "--timestep-spacing <name>",
    "how the steps are spread over the timesteps (default: depends on the sampler)",
  ).choices(timestepSpacingNames);
}

export function etaOption(): Option {
  return new Option(
    "--eta <x>",
    "noise that ddim and similar samplers add, from 0 (none) to 1 (as much as ddpm) (default: as trained)",
  ).argParser(numberFlag(numberWithin(0, 1)));
}

/** @param meaning what follows from it, and what holds without it */
export function seedOption(meaning: string): Option {
  return new Option("--seed <n>", meaning).argParser(numberFlag(wholeNumber(0, 2 ** 32 - 1)));
}

export function scaleOption(): Option {
  return new Option(
    "--scale <n>",
    "enlarge every pixel to a square of n x n (default: small pictures are enlarged)",
  ).argParser(numberFlag(wholeNumber(1, 64)));
}
