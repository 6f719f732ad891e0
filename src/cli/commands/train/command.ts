import { Command, Option } from "commander";
import type { Backend } from "../../../backend/backend.ts";
import { withSpareDevice } from "../../../backend/spare-device.ts";
import { addDeviceFlags, openDevice } from "../../flags/device.ts";
import type { DeviceFlags } from "../../flags/device.ts";
import { presets } from "../../presets/all.ts";
import { print } from "../../output/print.ts";
import { RUNS_DIRECTORY } from "../../runs/runs.ts";
import { joinRanks } from "../../ranks/ranks.ts";
import { sizeMultiple } from "./fit-to-data.ts";
import { addSettingFlags } from "./flags.ts";
import type { PlanFlags } from "./plan.ts";
import { sharedData, sharedPlan, sharedSettings } from "./shared-plan.ts";

const EXAMPLES = `
Examples:
  $ unnoise train
  $ unnoise train --preset annotated
  $ unnoise train --data photos/                      your own images, small, in about ten minutes
  $ unnoise train --data photos/ --image-size 48x32 --no-classes --out runs/wide
  $ unnoise train --from google/ddpm-cat-256 --data cats/    published weights, see docs/pretrained.md
  $ unnoise train --steps 5000 --batch-size 32 --lr 1e-3 --out runs/longer

A run goes on from its last checkpoint: give the same command again, or only --out. Flags that
change a setting are listed then; --batch-size, --lr and how pictures are drawn may change, what
the model is may not. Ctrl-C finishes the step, writes a checkpoint and stops; a second Ctrl-C
stops at once. mpirun and srun start several processes that train together, docs/cluster.md says how.`;

type TrainFlags = PlanFlags & DeviceFlags;

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
    .option(
      "--from <what>",
      "start a new run from the weights of a checkpoint, a run directory, a diffusers folder, or a model of the Hugging Face hub by its name (fine-tuning)",
    )
    .option("--revision <name>", "of a model of the hub: a branch, a tag or a commit (default: main)")
    .option("--variant <name>", "of published weights: which of several sets, such as fp16")
    .option("--discard-ema", "let --ema-decay 0 throw away the averaged weights of the run that goes on");
  addDeviceFlags(command, { precision: true, tune: true });
  addSettingFlags(command);
  return command.addHelpText("after", EXAMPLES).action(train);
}

async function train(flags: TrainFlags): Promise<void> {
  const ranks = await joinRanks();
  const plan = await sharedPlan(ranks, flags);
  const voice = { say: print };
  const say = (line: string): void => voice.say(line);
  const open = () => openDevice(flags, say);
  const data = { ...plan.settings, startedIn: plan.startedIn, sizeMultiple: sizeMultiple(plan.settings) };
  // None of the three waits for another, and data are unpacked on a thread of their own.
  const [dataset, backend, { trainRun }] = await Promise.all([
    sharedData(ranks, data, say),
    open(),
    import("./run.ts"),
  ]);
  const settings = await sharedSettings(ranks, plan, dataset, flags, say);
  const trainOn = (device: Backend) => trainRun({ ...plan, settings }, dataset, device, voice, ranks);
  // Where there are others, they do not wait for a process that begins anew.
  const spares = ranks.size === 1 ? 1 : 0;
  const opened = [backend];
  const openNext = async (): Promise<Backend> => opened.pop() ?? open();
  process.exitCode = await withSpareDevice({ open: openNext, spares, log: say }, trainOn);
}
