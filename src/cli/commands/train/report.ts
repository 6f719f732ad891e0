import { join } from "node:path";
import { architectureNamed } from "../../../models/registry.ts";
import { learningRateAt } from "../../../optim/learning-rate.ts";
import { describeDevice } from "../../flags/device.ts";
import { formatCount } from "../../output/format.ts";
import { print } from "../../output/print.ts";
import { describeRanks } from "../../ranks/ranks.ts";
import { programName, shellWord } from "../../program-name.ts";
import { animationPath, gridPath, lossPath } from "./pictures.ts";
import type { TrainingRun } from "./training-run.ts";

/** A learning rate that goes up by more than this on resuming is worth a line. */
const JUMP = 1.5;

/** Says what is trained, on what, and where it goes on. */
export function introduce(run: TrainingRun, startStep: number): void {
  const { path, settings, directory, dataset, backend, trainer, changes } = run;
  const { name, length, height, width, source } = dataset;
  print(`run     ${path}, preset ${settings.preset}`);
  print(`data    ${name}: ${formatCount(length)} images of ${width} x ${height} from ${source}`);
  const { title } = architectureNamed(trainer.model.architecture);
  print(`model   ${title} of ${formatCount(trainer.model.parameterCount())} parameters`);
  print(`device  ${describeDevice(backend)}`);
  if (run.ranks.size > 1) print(`ranks   ${describeRanks(run.ranks)}`);
  if (startStep === 0) for (const warning of run.diffusion.warnings) print(`warning ${warning}`);
  for (const fault of directory.faults) print(`passed over ${fault}`);
  if (startStep === 0) return;
  print(`going on from step ${formatCount(startStep)}`);
  if (changes.length > 0) print(`changed ${changes.join(", ")}`);
  const jump = rateJump(run, startStep);
  if (jump !== undefined) print(jump);
}

/** A line where a schedule that is stretched raises the learning rate again. */
function rateJump({ trainer, settings, recorded }: TrainingRun, startStep: number): string | undefined {
  if (recorded === undefined || startStep < settings.training.warmupSteps) return undefined;
  const rate = (of: typeof settings): number => learningRateAt(startStep, trainer.totalSteps(of.length), of.training);
  const [before, now] = [rate(recorded), rate(settings)];
  if (settings.training.learningRate !== recorded.training.learningRate || now <= JUMP * before) return undefined;
  const keep = `--lr ${shortNumber(before)} --lr-schedule constant`;
  return `the learning rate goes up again from ${shortNumber(before)} to ${shortNumber(now)}: its cosine now ends later; "${keep}" goes on with what it was`;
}

/** Says where everything is, and what to do with it. */
export function conclude({ path, settings, trainer }: TrainingRun): void {
  print(
    "",
    `${gridPath(path)}     ${settings.samples} samples`,
    `${animationPath(path)}   how they came out of noise`,
    `${lossPath(path)}        the loss of every step; its numbers are in metrics.jsonl`,
    `${join(path, "checkpoints")}     the model (safetensors)`,
    "",
    `More samples:   ${programName()} sample --checkpoint ${shellWord(path)} -n 16`,
    `Train further:  ${programName()} train --out ${shellWord(path)} ${further(settings, trainer)}`,
  );
}

/** Flags for twice as long. A cosine that ends later would raise the rate again, so it stays at what the first ended with. */
function further({ length, training }: TrainingRun["settings"], trainer: TrainingRun["trainer"]): string {
  const longer = "epochs" in length ? `--epochs ${length.epochs * 2}` : `--steps ${trainer.step * 2}`;
  if (training.learningRateSchedule === "constant") return longer;
  const last = learningRateAt(trainer.step, trainer.totalSteps(length), training);
  return `${longer} --lr ${shortNumber(last)} --lr-schedule constant`;
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
