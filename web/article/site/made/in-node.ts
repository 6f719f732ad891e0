import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * The files that a script beside this one writes into the folder that it is given, before `more`. It runs in a process of its own, as only
 * there the library's name means its sources.
 */
export async function filesOf(script: string, more: readonly string[] = []): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = await mkdtemp(join(tmpdir(), "unnoise-article-"));
  try {
    const flags = ["--conditions", "unnoise-source", "--disable-warning=ExperimentalWarning"];
    const path = fileURLToPath(new URL(script, import.meta.url));
    await promisify(execFile)(process.execPath, [...flags, path, folder, ...more]);
    const names = await readdir(folder);
    return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)));
  } finally {
    await rm(folder, { recursive: true });
  }
}
