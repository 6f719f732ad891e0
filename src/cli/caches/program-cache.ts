import { join } from "node:path";
import type { ByteCache } from "../../backend/backend.ts";
import { compilerVersion } from "../../backend/common/kept/compiler-digest.node.ts";
import { cacheDirectory } from "../../data/published/cache.node.ts";
import { FileCache } from "../../io/file-cache.node.ts";

/** Programs that earlier processes compiled, with the very same compiler. */
export function programCache(): ByteCache {
  const files = new FileCache(join(cacheDirectory(), "programs"));
  const compiler = compilerVersion();
  return {
    read: async (name) => files.read(`${await compiler}-${name}`),
    write: async (name, bytes) => files.write(`${await compiler}-${name}`, bytes),
  };
}
