import { basename, extname } from "node:path";
import { encodeCheckpoint } from "../../../checkpoint/checkpoint.ts";
import { importCheckpoint } from "../../../checkpoint/importing/import-checkpoint.ts";
import type { ImportOptions } from "../../../checkpoint/importing/import-checkpoint.ts";
import { readPytorch } from "../../../io/pytorch/pytorch.node.ts";
import type { PytorchFile } from "../../../io/pytorch/state-dict.ts";
import type { Safetensors } from "../../../io/safetensors/safetensors.ts";
import { isSafetensors, readSafetensors, writeSafetensors } from "../../../io/safetensors/safetensors.node.ts";
import type { BetaSchedule } from "../../../diffusion/process/schedules.ts";
import { formatBytes, formatCount } from "../../output/format.ts";
import { print } from "../../output/print.ts";
import { checkPlace } from "../../output/targets.ts";
import { programName } from "../../program-name.ts";

export interface ImportFlags extends Omit<ImportOptions, "imageSize" | "betaSchedule" | "source"> {
  readonly out?: string;
  readonly imageSize?: ImportOptions["imageSize"];
  readonly schedule?: BetaSchedule;
}

/** The article trains on Fashion-MNIST. */
const USUAL_SIZE = 28;

/** Flags that tell what an option is that was taken from the code's defaults. */
const flagOf: Readonly<Record<string, string>> = {
  imageSize: "--image-size",
  timesteps: "--timesteps",
  betaSchedule: "--schedule",
  objective: "--objective",
  resnetBlockGroups: "--resnet-block-groups",
};

/** Writes a checkpoint of the weights of a file, and says what it made of them. */
export async function importRun(file: string, flags: ImportFlags): Promise<void> {
  const { out = `${basename(file, extname(file))}.safetensors`, imageSize = USUAL_SIZE, schedule, ...rest } = flags;
  if (extname(out) !== ".safetensors") throw new Error(`--out must end in .safetensors, got ${out}`);
  if (out === file) throw new Error(`--out must be another file than ${file}, which is read`);
  await checkPlace(out);
  const content = await readTensors(file);
  const options = { ...rest, imageSize, betaSchedule: schedule, source: file };
  const { checkpoint, prefix, assumed } = await importCheckpoint(content, options);
  const { tensors, metadata } = await encodeCheckpoint(checkpoint);
  await writeSafetensors(out, tensors, metadata);
  const { model, dataset } = checkpoint.config;
  const parameters = [...checkpoint.model.values()].reduce((sum, { data }) => sum + data.length, 0);
  print(`weights ${file}${prefix === "" ? "" : `, ${prefix}*`}`);
  print(
    `model   U-Net of ${formatCount(parameters)} parameters, dim ${String(model.dim)}, dimMults ${String(model.dimMults)}`,
  );
  print(
    `images  ${dataset.width} x ${dataset.height}, ${model.channels === 1 ? "gray" : `${model.channels} channels`}`,
  );
  const guesses = [...(flags.imageSize === undefined ? ["imageSize"] : []), ...assumed];
  if (guesses.length > 0) {
    print(
      `not in the file: ${guesses.map((name) => flagOf[name] ?? name).join(", ")}; if the usual is wrong, give these`,
    );
  }
  const bytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  print(`wrote ${out}, ${formatBytes(bytes)}`, "", `Samples:  ${programName()} sample --checkpoint ${out} -n 16`);
}

async function readTensors(file: string): Promise<Safetensors | PytorchFile> {
  if (!(await isSafetensors(file))) return readPytorch(file);
  const content = await readSafetensors(file);
  if (content.metadata.unnoise === undefined) return content;
  throw new Error(`${file}: a file of unnoise, which is not imported: sample --checkpoint ${file} draws with it`);
}
