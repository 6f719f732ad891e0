import { Option } from "commander";
import { wholeNumber } from "../../../config/rules.ts";
import { numberFlag } from "../flags.ts";
import { imageSizeFlag } from "../images/image-size.ts";

/** Flags that several commands have which draw with a trained model, each with one meaning. */

export function samplingSizeOption(): Option {
  return new Option(
    "--image-size <size>",
    "side, or width x height as in 48x32, of the images (default: that of the images the model has seen)",
  ).argParser(imageSizeFlag);
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
