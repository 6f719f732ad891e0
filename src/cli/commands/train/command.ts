import { Command, Option } from "commander";
import { join } from "node:path";
import { openData } from "../../flags/dataset.ts";
import type { Backend } from "../../../backend/backend.ts";
import { deviceNames, openDevice, precisionOption, tuneOption, withSpareDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { presets } from "../../presets/all.ts";
import { print } from "../../output/print.ts";
import { RUNS_DIRECTORY, hasCheckpoints, recordedSettings, unusedRunDirectory } from "../../runs/runs.ts";
import { addSettingFlags, resolveSettings } from "./flags.ts";
import type { FlagValues } from "./flags.ts";

const EXAMPLES = `
Examples:
  $ unnoise train
  $ unnoise train --preset annotated
  $ unnoise train --data photos/ --image-size 32 --channels 3 --out runs/photos
  $ unnoise train --steps 5000 --batch-size 32 --lr 1e-3 --out runs/longer

A run goes on from its last checkpoint: give the same command again, or only --out. Ctrl-C
finishes the step, writes a checkpoint and stops; a second Ctrl-C stops at once.`;

interface TrainFlags extends FlagValues, DeviceFlags {
  readonly preset?: string;
  readonly out?: string;
  readonly resume: boolean;
}

export function trainCommand(): Command {
  const names = presets.map(({ name, summary }) => `${name} (${summary})`).join("; ");
  const command = new Command("train")
    .description(
      "Train a diffusion model on images, and draw samples while it trains and at the end. Without flags it " +
        "learns to draw garments from Fashion-MNIST. Settings come from a preset; flags change single ones.",
    )
    .addOption(
      new Option("--preset <name>", `settings to start from: ${names}`).choices(presets.map(({ name }) => name)),
    )
    .option("--out <directory>", `where the run goes (default: ${RUNS_DIRECTORY}/<preset>)`)
    .option("--no-resume", "start another run instead of going on from the checkpoint that is there")
    .addOption(new Option("--device <name>", "what to compute on").choices(deviceNames).default("auto"))
    .addOption(precisionOption())
    .addOption(tuneOption());
  addSettingFlags(command);
  return command.addHelpText("after", EXAMPLES).action(train);
}

async function train(flags: TrainFlags): Promise<void> {
  const { path, settings } = await planRun(flags);
  const voice = { say: print };
  const say = (line: string): void => voice.say(line);
  const open = () => openDevice(flags, say);
  // None of the three waits for another, and data are unpacked on a thread of their own.
  const [dataset, backend, { trainRun }] = await Promise.all([openData(settings, say), open(), import("./run.ts")]);
  const trainOn = (device: Backend) => trainRun(path, settings, dataset, device, voice);
  process.exitCode = await withSpareDevice(backend, open, say, trainOn);
}

/** Where the run goes and what its settings are: a new one, or one to go on with. */
async function planRun(flags: TrainFlags): Promise<{ path: string; settings: ReturnType<typeof resolveSettings> }> {
  const fresh = resolveSettings(flags);
  const path = flags.out ?? join(RUNS_DIRECTORY, fresh.preset);
  if (!(await hasCheckpoints(path))) return { path, settings: fresh };
  if (!flags.resume) {
    if (flags.out === undefined) return { path: await unusedRunDirectory(fresh.preset), settings: fresh };
    throw new Error(`${path} holds a run already: name another --out, or leave --no-resume away to go on with it`);
  }
  const recorded = await recordedSettings(path);
  if (recorded === undefined) return { path, settings: fresh };
  if (flags.preset !== undefined && flags.preset !== recorded.preset) {
    throw new Error(`${path} is a run of preset ${recorded.preset}, not ${flags.preset}: name another --out`);
  }
  if (flags.out === undefined && flags.data !== undefined && fresh.data !== recorded.data) {
    throw new Error(`${path} is a run on ${recorded.data}, not ${fresh.data}: name another --out`);
  }
  return { path, settings: resolveSettings(flags, recorded) };
}
