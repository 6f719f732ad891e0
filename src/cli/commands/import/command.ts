import { Command, Option } from "commander";
import { importSources } from "../../../checkpoint/importing/import-checkpoint.ts";
import { wholeNumber } from "../../../config/rules.ts";
import { betaScheduleNames } from "../../../diffusion/process/schedules.ts";
import { numberFlag } from "../../flags/flags.ts";
import { imageSizeFlag } from "../../flags/images/image-size.ts";
import type { ImportFlags } from "./run.ts";

const EXAMPLES = `
Examples:
  $ unnoise import unet.pt --from article
  $ unnoise import results/model-10.pt --from denoising-diffusion-pytorch --image-size 64 --out flowers.safetensors
  $ unnoise sample --checkpoint flowers.safetensors

The file may be a state dict as torch.save or safetensors write it, or all that a Trainer keeps, of which
the averaged weights are taken. Nothing in it is run: a file that asks for more than tensors is refused.
The result draws images; training goes on from checkpoints of train alone.`;

export function importCommand(): Command {
  const count = numberFlag(wholeNumber(1));
  const command = new Command("import")
    .description("Make a checkpoint of the weights of a U-Net that PyTorch code has trained.")
    .argument("<file>", "a .pt, .pth, .bin, .ckpt or .safetensors file")
    .addOption(
      new Option(
        "--from <code>",
        "the code that trained it: article is that of The Annotated Diffusion Model; the two differ in how they " +
          "standardize weights, which no file tells",
      )
        .choices(importSources)
        .makeOptionMandatory(),
    )
    .option("--out <file>", "where to write (default: the file's name with .safetensors)")
    .option("--no-ema", "take the model itself where the file has its average too");
  const untold = [
    new Option("--image-size <size>", "side, or width x height as in 48x32, of the images (default: 28)").argParser(
      imageSizeFlag,
    ),
    new Option("--timesteps <n>", "of the schedule (default: the file's, else the code's)").argParser(count),
    new Option("--schedule <name>", "how noise grows with time (default: the file's, else the code's)").choices(
      betaScheduleNames,
    ),
    new Option("--objective <name>", "what the model predicts (default: the file's, else the code's)").choices([
      "predNoise",
      "predX0",
      "predV",
    ]),
    new Option("--resnet-block-groups <n>", "groups of its normalizations (default: the code's, 4 or 8)").argParser(
      count,
    ),
    new Option("--attention-heads <n>", "heads of its attention (default: of 32 channels each)").argParser(count),
    new Option("--channels <n>", "channels of the images, where 1 or 3 cannot be told").argParser(count),
  ];
  for (const option of untold) command.addOption(option.helpGroup("What the file does not tell:"));
  return command.addHelpText("after", EXAMPLES).action(async (file: string, flags: ImportFlags) => {
    const { importRun } = await import("./run.ts");
    await importRun(file, flags);
  });
}
