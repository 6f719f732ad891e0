import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { writeFileAtomic } from "./atomic.node.ts";
import { errorCode, fileError } from "./file-errors.node.ts";
import { headerBytes, lengthBytes, parseHeader } from "./safetensors-header.ts";
import type { SafetensorsHeader } from "./safetensors-header.ts";
import { parseSafetensors, serializeSafetensors } from "./safetensors.ts";
import type { SafeTensor, Safetensors } from "./safetensors.ts";

/**
 * Reads a safetensors file. The header is checked before memory for the rest is taken.
 *
 * @throws Error naming the file if it cannot be read or breaks a rule of the format.
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return withFile(path, async (file, fileBytes) => {
    await readHeader(path, file, fileBytes);
    return parseSafetensors(await readStart(file, fileBytes), path);
  });
}

/** Reads names, dtypes, shapes and metadata of a safetensors file without its data. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, async (file, fileBytes) => readHeader(path, file, fileBytes));
}

/** Writes a safetensors file whole or not at all, see {@link writeFileAtomic} and {@link serializeSafetensors}. */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, serializeSafetensors(tensors, metadata));
}

async function withFile<T>(path: string, use: (file: FileHandle, fileBytes: number) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const status = await file.stat();
    if (!status.isFile()) throw new Error("it is not a regular file");
    return await use(file, status.size);
  } catch (error) {
    // Our own messages name the file already.
    throw error instanceof Error && errorCode(error) === undefined && error.message.startsWith(`${path}: `)
      ? error
      : fileError(path, "read", error);
  } finally {
    await file?.close();
  }
}

async function readHeader(path: string, file: FileHandle, fileBytes: number): Promise<SafetensorsHeader> {
  const length = headerBytes(await readStart(file, Math.min(lengthBytes, fileBytes)), fileBytes, path);
  return parseHeader(await readStart(file, lengthBytes + length), fileBytes, path);
}

/** The first bytes of a file, in pieces, since one read takes less than 2 GiB. */
async function readStart(file: FileHandle, bytes: number): Promise<Uint8Array> {
  const content = new Uint8Array(bytes);
  const piece = 2 ** 30;
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(content, at, Math.min(piece, bytes - at), at);
    if (bytesRead === 0) throw new Error("it became shorter while it was read");
    at += bytesRead;
  }
  return content;
}
