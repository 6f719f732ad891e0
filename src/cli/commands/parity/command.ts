import { Command } from "commander";
import { addDeviceFlags } from "../../flags/device.ts";
import type { ParityFlags } from "./report.ts";

const EXAMPLES = `
Examples:
  $ unnoise parity test/fixtures/parity
  $ unnoise parity test/fixtures/parity/gray --device reference --json

Every directory with a meta.json, unet.safetensors and unet_io.safetensors is a case. The exit code is 1 if
anything differs by more than float32 explains.`;

export function parityCommand(): Command {
  const command = new Command("parity")
    .description("Repeat what PyTorch computed with the article's model, and show the largest differences.")
    .argument("<directory>", "a case, or a directory of cases")
    .option("--json", "print one JSON object instead of a table");
  return addDeviceFlags(command)
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string, flags: ParityFlags) => {
      const { parityReport } = await import("./report.ts");
      process.exitCode = await parityReport(directory, flags);
    });
}
