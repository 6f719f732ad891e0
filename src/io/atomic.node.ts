import { randomUUID } from "node:crypto";
import { open, readdir, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorCode, fileError } from "./file-errors.node.ts";

/**
 * Writes a file whole or not at all: the bytes go to a temporary name in the same directory, reach the disk, and only
 * then take the place of what was there. After a failure the old file is as it was and the temporary one is gone.
 *
 * @throws Error of one line naming the file: a full disk, a missing directory, no permission.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string): Promise<void> {
  try {
    const target = await resolveTarget(path);
    const temporary = temporaryOf(target);
    try {
      await writeAndSync(temporary, content);
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    await syncDirectory(dirname(target));
  } catch (error) {
    throw fileError(path, "write", error);
  }
}

/**
 * Removes what processes that were killed while they wrote have left in a directory. Only for whoever alone writes there.
 */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const left = names.filter((name) => /^\..+\.[0-9a-f]{8}\.tmp$/.test(name));
  await Promise.all(left.map((name) => unlink(join(directory, name)).catch(() => {})));
}

/**
 * Finds out whether {@link writeFileAtomic} could write a file, which stays as it is.
 *
 * @throws what that would throw
 */
export async function checkWritable(path: string): Promise<void> {
  try {
    const temporary = temporaryOf(await resolveTarget(path));
    await (await open(temporary, "wx")).close();
    await unlink(temporary);
  } catch (error) {
    throw fileError(path, "write", error);
  }
}

function temporaryOf(target: string): string {
  return join(dirname(target), `.${basename(target).slice(0, 100)}.${randomUUID().slice(0, 8)}.tmp`);
}

/** Follows symbolic links, so that the file is replaced and not the link. */
async function resolveTarget(path: string): Promise<string> {
  try {
    // Renaming over a device such as /dev/null would replace it.
    if (!(await stat(path)).isFile()) throw new Error("it is not a regular file");
    return await realpath(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return path;
    throw error;
  }
}

async function writeAndSync(path: string, content: Uint8Array | string): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the rename itself durable. Not every system can sync a directory. */
async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch {
    // The file is complete; only its name might be lost in a power cut.
  }
}
