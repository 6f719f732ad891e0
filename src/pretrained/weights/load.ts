import { tensorBytes } from "../../io/safetensors/header.ts";
import type { Module } from "../../nn/module/module.ts";
import { inFolder, readJson } from "../source/source.ts";
import type { Source } from "../source/source.ts";
import { checkVariant, endings, weightsFiles } from "./file-names.ts";
import type { WeightsFile } from "./file-names.ts";
import { Parameters } from "./parameters.ts";
import { checkShard, readShardIndex } from "./shards.ts";
import { openTensors } from "./tensor-file.ts";
import type { TensorFile } from "./tensor-file.ts";

export interface WeightsOptions {
  /** Which of several sets of weights, such as `fp16`: files with this in their names. */
  readonly variant?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fills a network's parameters from the files of its folder: safetensors, whole or in several files with an index, or else
 * what `torch.save` wrote. Half precision becomes single.
 *
 * @param folder in the source; "" for the source itself
 * @returns the name of the file, or of the index, that they came from
 * @throws Error of one line naming the file and what is missing, unexpected or ill-shaped; the reason of `signal`
 */
export async function loadWeights(
  model: Module,
  source: Source,
  folder: string,
  { variant, signal }: WeightsOptions = {},
): Promise<string> {
  checkVariant(variant);
  const parameters = new Parameters(model);
  const candidates = weightsFiles(variant);
  for (const candidate of candidates) {
    const path = inFolder(folder, candidate.name);
    const isRead = candidate.isIndex
      ? await readShards(source, path, candidate, parameters, signal)
      : await readSingle(source, path, candidate, parameters, signal);
    if (isRead) return path;
  }
  const names = candidates.filter(({ isIndex }) => !isIndex).map(({ name }) => name);
  const what = variant === undefined ? "no weights" : `no weights of the variant ${variant}`;
  throw new Error(`${source.name}: ${what}: neither ${inFolder(folder, names.join(" nor "))} is there`);
}

async function readSingle(
  source: Source,
  path: string,
  { format }: WeightsFile,
  parameters: Parameters,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const isRead = await source.withFile(path, async (file) => {
    const tensors = await openTensors(file, format);
    parameters.checkNames(
      tensors.tensors.map(({ name }) => name),
      file.name,
    );
    await fill(parameters, tensors, file.name, signal);
    return true;
  });
  return isRead ?? false;
}

async function readShards(
  source: Source,
  path: string,
  { format, name }: WeightsFile,
  parameters: Parameters,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const found = await readJson(source, path);
  if (!found) return false;
  const label = `${source.name}: ${path}`;
  const { tensors, shards, totalBytes } = readShardIndex(found.value, label, endings[format]);
  parameters.checkNames(tensors, label);
  const folder = path.slice(0, path.length - name.length);
  let bytes = 0;
  for (const [file, names] of shards) {
    const read = await source.withFile(folder + file, async (shard) => {
      const opened = await openTensors(shard, format);
      checkShard(
        shard.name,
        opened.tensors.map((tensor) => tensor.name),
        names,
      );
      await fill(parameters, opened, shard.name, signal);
      return opened.tensors.reduce((sum, { dtype, shape }) => sum + (tensorBytes(dtype, shape) ?? 0), 0);
    });
    if (read === undefined) throw new Error(`${label}: names ${file}, which is not there`);
    bytes += read;
  }
  if (totalBytes !== undefined && bytes !== totalBytes) {
    throw new Error(`${label}: metadata.total_size is ${totalBytes}, the tensors of its files have ${bytes} bytes`);
  }
  return true;
}

async function fill(
  parameters: Parameters,
  file: TensorFile,
  source: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  parameters.checkTensors(file.tensors, source);
  for await (const [name, tensor] of file.read()) {
    signal?.throwIfAborted();
    await parameters.write(name, tensor, source);
  }
}
