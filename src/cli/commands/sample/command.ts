import { Command } from "commander";
import { wholeNumber } from "../../../config/rules.ts";
import { addDeviceFlags } from "../../flags/device.ts";
import { addEditingFlags } from "../../flags/drawing/editing.ts";
import { numberFlag } from "../../flags/flags.ts";
import { addPretrainedFlags } from "../../flags/pretrained.ts";
import { samplingSizeOption, scaleOption, seedOption } from "../../flags/drawing/sampling.ts";
import { addGuidingFlags } from "../../flags/drawing/guiding.ts";
import { addModelFlags } from "../../flags/model.ts";
import { addWayFlags, samplerOption } from "../../flags/drawing/way.ts";
import type { SampleFlags } from "./sample-flags.ts";

const EXAMPLES = `
Examples:
  $ unnoise sample                                     images from the latest run
  $ unnoise sample -n 64 --seed 7 --gif
  $ unnoise sample --checkpoint runs/fashion-mnist/checkpoints/step-500.safetensors --out early.png
  $ unnoise sample --class "ankle boot" --guidance 3
  $ unnoise sample --classifier runs/fashion-mnist-noisy-classifier --class bag --guidance 3
  $ unnoise sample --class trouser,dress,bag -n 30     a column for each class
  $ unnoise sample --sampler dpmSolver++2M --steps 10  ten evaluations of the model
  $ unnoise sample --sampler ddim --steps 100 --eta 0.5
  $ unnoise sample --sampler predictorCorrector --corrector-steps 2 --snr 0.1
  $ unnoise sample --init boot.png --strength 0.6      variations of an image
  $ unnoise sample --inpaint boot.png --mask sole.png  paint a part of it anew
  $ unnoise sample --pretrained google/ddpm-cifar10-32 --sampler ddim --steps 50
  $ unnoise sample -n 100 --no-grid --out garments/    one file per image

The same checkpoint, seed and device give the same images, and image 3 of a seed is the same
however many are drawn. Ctrl-C stops and keeps the images that are drawn; as they are drawn 64 at a
time, those of the last 64 may be lost.`;

export function sampleCommand(): Command {
  const count = wholeNumber(1);
  const command = new Command("sample")
    .description("Draw images with a trained model.")
    .option(
      "-n, --number <n>",
      "images to draw (default: about 16, the same number of each class)",
      numberFlag(wholeNumber(1, 100_000)),
    )
    .addOption(seedOption("draw the same images again (default: different ones each time)"))
    .addOption(samplingSizeOption())
    .option(
      "--steps <n>",
      "noise levels to visit, with one evaluation of the model at each; with heun and edm about two (default: as trained)",
      numberFlag(count),
    )
    .addOption(samplerOption())
    .option(
      "--grid <columns>",
      "images per row of the picture (default: about as many as there are rows)",
      numberFlag(count),
    )
    .option("--no-grid", "write every image to a file of its own in the directory --out, as soon as it is drawn")
    .option("--gif [file]", "also write an animation of the denoising")
    .addOption(scaleOption())
    .option("--out <path>", "where to write: .png, .jpg or .webp (default: samples-<seed>.png)");
  addModelFlags(command, ", with --class the latest that knows classes");
  addPretrainedFlags(command, "draw with");
  addDeviceFlags(command, { precision: true });
  addGuidingFlags(command);
  addWayFlags(command);
  addEditingFlags(command);
  return command.addHelpText("after", EXAMPLES).action(async (flags: SampleFlags) => {
    const { sampleRun } = await import("./run.ts");
    process.exitCode = await sampleRun(flags);
  });
}
