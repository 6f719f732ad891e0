import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { npm, npmInstall } from "./npm.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** An empty project somewhere else, in which the packed package is installed as by a stranger. */
export class PackedProject {
  readonly folder: string;
  /** Where the package is in it. */
  readonly installed: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.installed = join(folder, "node_modules", "unnoise");
  }

  /** @throws RegistryUnreachable if npm's registry does not deliver the package's dependencies */
  static async create(): Promise<PackedProject> {
    const folder = await mkdtemp(join(tmpdir(), "unnoise-package-"));
    try {
      await npm(ROOT, "pack", "--pack-destination", folder);
      const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
      await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
      await npmInstall(folder, [`./${tarball}`]);
      return new PackedProject(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, "utf8")) as T;
}
