import { Command, Option } from "commander";
import { interpolationMethods } from "../../../diffusion/sampling/interpolation.ts";
import { timestepSpacingNames } from "../../../diffusion/process/timestep-spacing.ts";
import { numberWithin, wholeNumber } from "../../../config/rules.ts";
import { deviceNames } from "../../flags/device.ts";
import { numberFlag } from "../../flags/flags.ts";
import type { InterpolateFlags } from "./run.ts";
import { RESIZE_HELP } from "../../flags/open-image.ts";

const EXAMPLES = `
Examples:
  $ unnoise interpolate boot.png sneaker.png
  $ unnoise interpolate boot.png sneaker.png -n 30 --gif
  $ unnoise interpolate boot.png sneaker.png --class "ankle boot,sneaker"
  $ unnoise interpolate boot.png sneaker.png --method mix --strength 0.7 --seed 1

slerp finds the noise that the model makes each image of (DDIM inversion) and goes from one to the
other; both ends are the images as they come back from that, and more --steps bring them back more
faithfully. mix gives both images noise, mixes their pixels and draws from there, as
denoising-diffusion-pytorch does; it needs no inversion, and keeps less of the images. Of a model
that knows classes, those of the images can be told; between two of them it is told a mixture.`;

export function interpolateCommand(): Command {
  return new Command("interpolate")
    .description("Draw the images that a trained model sees between two images, as a row.")
    .argument("<a>", "a PNG, JPEG or WebP file as large as the model's images")
    .argument("<b>", "the image to arrive at")
    .option(
      "--checkpoint <path>",
      "a checkpoint file or a run directory (default: the latest run, or the model that comes with unnoise)",
    )
    .option("-n, --number <n>", "images of the row, both ends included", numberFlag(wholeNumber(2, 64)), 8)
    .addOption(new Option("--method <name>", "the way between").choices(interpolationMethods).default("slerp"))
    .option(
      "--strength <x>",
      "share of the steps that are run back and again: less leaves more of the images (default: 0.95, for mix 0.5)",
      numberFlag(numberWithin(0, 1)),
    )
    .option(
      "--steps <n>",
      "evaluations of the model per image, each way (default: as trained)",
      numberFlag(wholeNumber(1)),
    )
    .addOption(
      new Option("--timestep-spacing <name>", "which timesteps it visits (default: trailing)").choices(
        timestepSpacingNames,
      ),
    )
    .option("--class <names>", "what both images are of, or with a comma between what each is: names or numbers")
    .option("--seed <n>", "what the noise of mix follows from", numberFlag(wholeNumber(0, 2 ** 32 - 1)))
    .option("--resize", RESIZE_HELP)
    .option("--gif [file]", "also write an animation that goes there and back")
    .option("--scale <n>", "enlarge every pixel to a square of this side", numberFlag(wholeNumber(1, 64)))
    .option("--out <file>", "where to write: .png, .jpg or .webp", "interpolation.png")
    .option("--no-ema", "use the model itself instead of its average")
    .addOption(new Option("--device <name>", "what to compute on").choices(deviceNames).default("auto"))
    .addHelpText("after", EXAMPLES)
    .action(async (a: string, b: string, flags: InterpolateFlags) => {
      const { interpolateRun } = await import("./run.ts");
      await interpolateRun(a, b, flags);
    });
}
