import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ByteCache } from "../../backend/backend.ts";
import { cacheDirectory } from "../../data/published/cache.node.ts";
import { FileCache } from "../../io/file-cache.node.ts";

/** What decides how a graph is compiled, with everything inside. */
const COMPILER_FOLDERS = ["tensor", "compiler", "backend"];

/** Programs that earlier processes compiled, with the very same compiler. */
export function programCache(): ByteCache {
  const files = new FileCache(join(cacheDirectory(), "programs"));
  const compiler = compilerDigest();
  return {
    read: async (name) => files.read(`${await compiler}-${name}`),
    write: async (name, bytes) => files.write(`${await compiler}-${name}`, bytes),
  };
}

/** A name for the code of the compiler, as it runs. */
async function compilerDigest(): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of COMPILER_FOLDERS) {
    const directory = fileURLToPath(new URL(`../../${folder}/`, import.meta.url));
    const entries = await readdir(directory, { recursive: true });
    const names = entries.filter((name) => /(?<!\.test|\.d)\.[jt]s$/.test(name)).toSorted();
    for (const content of await Promise.all(names.map((name) => readFile(join(directory, name))))) hash.update(content);
  }
  return hash.digest("hex").slice(0, 16);
}
