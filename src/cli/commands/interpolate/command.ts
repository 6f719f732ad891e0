import { Command, Option } from "commander";
import { interpolationMethods } from "../../../diffusion/sampling/interpolation.ts";
import { numberWithin, wholeNumber } from "../../../config/rules.ts";
import { addDeviceFlags } from "../../flags/device.ts";
import { numberFlag } from "../../flags/flags.ts";
import type { InterpolateFlags } from "./run.ts";
import { addModelFlags } from "../../flags/model.ts";
import { scaleOption, seedOption } from "../../flags/drawing/sampling.ts";
import { addWayFlags, samplerOption } from "../../flags/drawing/way.ts";
import { RESIZE_HELP } from "../../flags/images/open-image.ts";

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
  const command = new Command("interpolate")
    .description("Draw the images that a trained model sees between two images, as a row.")
    .argument("<a>", "a PNG, JPEG or WebP file as large as the model's images")
    .argument("<b>", "the image to arrive at")
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
    .addOption(samplerOption())
    .option("--class <names>", "what both images are of, or with a comma between what each is: names or numbers")
    .addOption(seedOption("what the noise of mix follows from (default: another each time)"))
    .option("--resize", RESIZE_HELP)
    .option("--gif [file]", "also write an animation that goes there and back")
    .addOption(scaleOption())
    .option("--out <file>", "where to write: .png, .jpg or .webp", "interpolation.png");
  addWayFlags(addModelFlags(command));
  return addDeviceFlags(command, { precision: true })
    .addHelpText("after", EXAMPLES)
    .action(async (a: string, b: string, flags: InterpolateFlags) => {
      const { interpolateRun } = await import("./run.ts");
      await interpolateRun(a, b, flags);
    });
}
