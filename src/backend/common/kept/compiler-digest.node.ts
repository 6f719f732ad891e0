import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMPILER_VERSION } from "./compiler-version.ts";

/** What decides how a graph is compiled, with everything inside. */
const COMPILER_FOLDERS = ["tensor", "compiler", "backend"];

/** A name for the code of the compiler, as it runs. */
export async function compilerVersion(): Promise<string> {
  return COMPILER_VERSION ?? (await digestOfFiles());
}

async function digestOfFiles(): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of COMPILER_FOLDERS) {
    const directory = fileURLToPath(new URL(`../../../${folder}/`, import.meta.url));
    const entries = await readdir(directory, { recursive: true });
    const names = entries.filter((name) => /(?<!\.test|\.d)\.[jt]s$/.test(name)).toSorted();
    for (const content of await Promise.all(names.map((name) => readFile(join(directory, name))))) hash.update(content);
  }
  return hash.digest("hex").slice(0, 16);
}
