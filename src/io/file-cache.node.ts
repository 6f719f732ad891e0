import { createHash } from "node:crypto";
import { mkdir, readdir, stat, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "./atomic.node.ts";
import { readRegularFile } from "./regular-file.node.ts";

const DIGEST_BYTES = 32;

/**
 * Keeps bytes under names in a directory, those used last. Nothing depends on it: what cannot be read, or is not what was
 * written, is not there, and what cannot be written is not kept.
 */
export class FileCache {
  readonly #directory: string;
  readonly #most: number;

  /** @param most files that are kept */
  constructor(directory: string, most = 24) {
    this.#directory = directory;
    this.#most = most;
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = join(this.#directory, name);
    try {
      const content = await readRegularFile(path);
      const bytes = content.slice(DIGEST_BYTES);
      if (!digestOf(bytes).equals(content.subarray(0, DIGEST_BYTES))) return undefined;
      const now = new Date();
      await utimes(path, now, now); // it was used last
      return bytes;
    } catch {
      return undefined;
    }
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    try {
      await mkdir(this.#directory, { recursive: true });
      await writeFileAtomic(join(this.#directory, name), Buffer.concat([digestOf(bytes), bytes]));
      await this.#forget();
    } catch {
      // A full disk or a read-only home is no reason to stop.
    }
  }

  async #forget(): Promise<void> {
    const paths = (await readdir(this.#directory)).map((name) => join(this.#directory, name));
    if (paths.length <= this.#most) return;
    const files = await Promise.all(paths.map(async (path) => ({ path, used: (await stat(path)).mtimeMs })));
    const oldest = files.toSorted((a, b) => b.used - a.used).slice(this.#most);
    for (const { path } of oldest) await unlink(path);
  }
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
