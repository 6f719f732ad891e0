import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ByteCache } from "../../backend/backend.ts";
import { cacheDirectory } from "../../data/published/cache.node.ts";
import { writeFileAtomic } from "../../io/atomic.node.ts";
import { readRegularFile } from "../../io/regular-file.node.ts";

/** Which tiles were the fastest on each GPU, in files that people can read. */
export function tileCache(): ByteCache {
  const directory = join(cacheDirectory(), "tiles");
  return {
    read: async (name) => {
      return readRegularFile(join(directory, name)).catch(() => undefined);
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
