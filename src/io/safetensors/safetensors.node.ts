import { writeFileAtomic } from "../atomic.node.ts";
import { KIND_BYTES } from "../content-kind.ts";
import { readStart, withRegularFile } from "../regular-file.node.ts";
import type { OpenFile } from "../regular-file.node.ts";
import { headerBytes, lengthBytes, parseHeader } from "./header.ts";
import type { SafetensorsHeader } from "./header.ts";
import { parseSafetensors, serializeSafetensors } from "./safetensors.ts";
import type { SafeTensor, Safetensors } from "./safetensors.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

/**
 * Reads a safetensors file. The header is checked before memory for the rest is taken.
 *
 * @throws Error naming the file if it cannot be read or breaks a rule of the format.
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return withRegularFile(path, async (file) => {
    await readHeader(path, file);
    return parseSafetensors(await readStart(file, file.bytes), path);
  });
}

/** Reads names, dtypes, shapes and metadata of a safetensors file without its data. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withRegularFile(path, async (file) => readHeader(path, file));
}

/** Whether a file begins as a safetensors file does, whatever its name: with the length of a header and the header. */
export async function isSafetensors(path: string): Promise<boolean> {
  return withRegularFile(path, async (file) => {
    const start = await readStart(file, Math.min(lengthBytes + 1, file.bytes));
    return start.length > lengthBytes && new TextDecoder().decode(start.subarray(lengthBytes)) === "{";
  });
}

/** Writes a safetensors file whole or not at all, see {@link writeFileAtomic} and {@link serializeSafetensors}. */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, SafeTensor | NdArray>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, serializeSafetensors(tensors, metadata));
}

async function readHeader(path: string, file: OpenFile): Promise<SafetensorsHeader> {
  const start = await readStart(file, Math.min(KIND_BYTES, file.bytes));
  const length = headerBytes(start, file.bytes, path);
  return parseHeader(await readStart(file, lengthBytes + length), file.bytes, path);
}
