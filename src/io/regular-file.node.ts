import { constants } from "node:fs";
import type { Stats } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { errorCode, fileError } from "./file-errors.node.ts";

/** A file that is open to be read. */
export interface OpenFile {
  readonly handle: FileHandle;
  /** Its length in bytes. */
  readonly bytes: number;
}

/** A read takes less than 2 GiB at a time. */
const PIECE = 2 ** 30;

/**
 * Opens a file for reading, uses it and closes it. A directory, a pipe, a device or a socket is refused at once: a pipe
 * that nobody writes to would never open, and a device may never end.
 *
 * @throws Error of one line naming the file if it cannot be opened or is no regular file; what `use` throws if it names
 *   the file already, and an error that names it otherwise
 */
export async function withRegularFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  let handle: FileHandle | undefined;
  try {
    // Without waiting for the other end of a pipe. Windows has no such flag, and no such pipes among its files.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const status = await handle.stat();
    if (!status.isFile()) throw new Error(`it is ${kindOf(status)}`);
    return await use({ handle, bytes: status.size });
  } catch (error) {
    throw error instanceof Error && errorCode(error) === undefined && error.message.startsWith(`${path}: `)
      ? error
      : fileError(path, "read", error);
  } finally {
    await handle?.close();
  }
}

/** The content of a regular file, see {@link withRegularFile}. */
export async function readRegularFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return withRegularFile(path, async (file) => readStart(file, file.bytes));
}

/** The content of a regular file as UTF-8, see {@link withRegularFile}. */
export async function readRegularText(path: string): Promise<string> {
  return withRegularFile(path, async ({ handle }) => handle.readFile("utf8"));
}

/** The first bytes of an open file. @throws if it has fewer */
export async function readStart(file: OpenFile, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  return readRange(file, 0, bytes);
}

/** The bytes of an open file from `begin` to `end`, exclusive. @throws if it ends before */
export async function readRange({ handle }: OpenFile, begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(end - begin);
  for (let at = 0; at < content.length;) {
    const { bytesRead } = await handle.read(content, at, Math.min(PIECE, content.length - at), begin + at);
    if (bytesRead === 0) throw new Error("it became shorter while it was read");
    at += bytesRead;
  }
  return content;
}

/** What something on the disk is that is no regular file. */
function kindOf(status: Pick<Stats, "isDirectory" | "isFIFO" | "isSocket">): string {
  if (status.isDirectory()) return "a directory";
  if (status.isFIFO()) return "a pipe, not a regular file";
  return status.isSocket() ? "a socket, not a regular file" : "a device, not a regular file";
}
