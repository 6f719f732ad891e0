import { Command } from "commander";
import { emaOption } from "../../flags/model.ts";
import type { ExportFlags } from "./run.ts";

const EXAMPLES = `
Examples:
  $ unnoise export                                        the latest run's averages, as model.safetensors
  $ unnoise export runs/photos --f32 --out photos.safetensors
  $ unnoise sample --checkpoint model.safetensors
  $ unnoise export runs/unet2d --diffusers out/           a network that diffusers has (docs/pretrained.md)

The file draws images, here and in a browser, and has PyTorch's names. Training goes on from checkpoints alone.`;

export function exportCommand(): Command {
  return new Command("export")
    .description("Write the weights of a trained model alone, in half precision: an eighth of a checkpoint's bytes.")
    .argument("[checkpoint]", "a checkpoint file or a run directory (default: the latest run)")
    .option("--out <file>", "where to write", "model.safetensors")
    .option("--diffusers <folder>", "write a folder that DDPMPipeline.from_pretrained of diffusers loads instead")
    .option("--f32", "write single precision, bit for bit", false)
    .addOption(emaOption())
    .addHelpText("after", EXAMPLES)
    .action(async (checkpoint: string | undefined, flags: ExportFlags) => {
      const { exportRun } = await import("./run.ts");
      await exportRun(checkpoint, flags);
    });
}
