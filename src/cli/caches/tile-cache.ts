import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ByteCache } from "../../backend/backend.ts";
import { cacheDirectory } from "../../data/published/cache.node.ts";
import { writeFileAtomic } from "../../io/atomic.node.ts";

/** Which tiles were the fastest on each GPU, in files that people can read. */
export function tileCache(): ByteCache {
  const directory = join(cacheDirectory(), "tiles");
  return {
    read: async (name) => {
      const content = await readFile(join(directory, name)).catch(() => undefined);
      return content && new Uint8Array(content);
    },
    write: async (name, bytes) => {
      try {
        await mkdir(directory, { recursive: true });
        await writeFileAtomic(join(directory, name), bytes);
      } catch {
        // A full disk or a read-only home is no reason to stop.
      }
    },
  };
}
