import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { readRegularFile } from "../../../io/regular-file.node.ts";
import { cardOfCheckpoint, pipelineFromCheckpoint } from "../../../pretrained/pipeline/of-checkpoint.ts";
import { writeSafetensors } from "../../../io/safetensors/safetensors.node.ts";
import { encodeCheckpoint, weightsOnly } from "../../../checkpoint/checkpoint.ts";
import { formatBytes } from "../../output/format.ts";
import { print } from "../../output/print.ts";
import { checkDirectory, checkPlace } from "../../output/targets.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";

export interface ExportFlags {
  readonly out: string;
  readonly diffusers?: string;
  readonly f32: boolean;
  readonly ema: boolean;
}

/** Writes the weights of a checkpoint's model. */
export async function exportRun(checkpoint: string | undefined, flags: ExportFlags): Promise<void> {
  const { out, f32, ema, diffusers } = flags;
  if (diffusers !== undefined) return exportDiffusers(checkpoint, diffusers, ema);
  if (extname(out) !== ".safetensors") throw new Error(`--out must end in .safetensors, got ${out}`);
  await checkPlace(out);
  const found = await announcedCheckpoint(checkpoint);
  const { tensors, metadata } = await encodeCheckpoint(weightsOnly(found.checkpoint, { ema }), { half: !f32 });
  await writeSafetensors(out, tensors, metadata);
  const bytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  print(`wrote ${out}, ${formatBytes(bytes)}`);
}

/** Writes a checkpoint's model as diffusers stores it, with a card that shows the images that its run has drawn. */
async function exportDiffusers(checkpoint: string | undefined, folder: string, ema: boolean): Promise<void> {
  await checkDirectory(folder);
  const { checkpoint: found, path } = await announcedCheckpoint(checkpoint);
  const pipeline = await pipelineFromCheckpoint(found, { ema });
  const drawn = join(dirname(dirname(path)), "samples.png");
  const samples = existsSync(drawn) ? { png: await readRegularFile(drawn) } : undefined;
  await pipeline.savePretrained(folder, { card: { title: basename(folder), ...cardOfCheckpoint(found), samples } });
  print(`wrote ${folder}, which DDPMPipeline.from_pretrained of diffusers loads`);
}
