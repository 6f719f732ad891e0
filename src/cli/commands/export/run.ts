import { extname } from "node:path";
import { writeSafetensors } from "../../../io/safetensors/safetensors.node.ts";
import { encodeCheckpoint, weightsOnly } from "../../../checkpoint/checkpoint.ts";
import { formatBytes } from "../../output/format.ts";
import { print } from "../../output/print.ts";
import { checkPlace } from "../../output/targets.ts";
import { announcedCheckpoint } from "../../runs/runs.ts";

export interface ExportFlags {
  readonly out: string;
  readonly f32: boolean;
  readonly ema: boolean;
}

/** Writes the weights of a checkpoint's model. */
export async function exportRun(checkpoint: string | undefined, { out, f32, ema }: ExportFlags): Promise<void> {
  if (extname(out) !== ".safetensors") throw new Error(`--out must end in .safetensors, got ${out}`);
  await checkPlace(out);
  const found = await announcedCheckpoint(checkpoint);
  const { tensors, metadata } = await encodeCheckpoint(weightsOnly(found.checkpoint, { ema }), { half: !f32 });
  await writeSafetensors(out, tensors, metadata);
  const bytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  print(`wrote ${out}, ${formatBytes(bytes)}`);
}
