import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Plugin } from "vite";

const script = fileURLToPath(new URL("ahead.ts", import.meta.url));

/** Where the programs lie in the site. */
const FOLDER = "programs/";

/**
 * Compiles the programs of the figures while the site is built, so that pages compile none, and tells pages that they are
 * there: `<html data-programs="programs/">`, from the site's root. Not for tests, whose time it would take.
 */
export function programsPlugin(): Plugin {
  let compiled: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
  return {
    name: "programs",
    apply: (_, { command, mode }) => command === "build" && mode !== "test",
    buildStart() {
      compiled = compileInNode();
      // Told where it is awaited.
      compiled.catch(() => undefined);
    },
    async generateBundle() {
      const files = (await compiled) ?? new Map<string, Uint8Array>();
      for (const [name, source] of files) this.emitFile({ type: "asset", fileName: FOLDER + name, source });
    },
    transformIndexHtml: (html) => html.replace("<html ", `<html data-programs="${FOLDER}" `),
  };
}

/** In a process of its own, as only there the library's name means its sources. */
async function compileInNode(): Promise<ReadonlyMap<string, Uint8Array>> {
  const folder = await mkdtemp(join(tmpdir(), "unnoise-programs-"));
  try {
    const flags = ["--conditions", "unnoise-source", "--disable-warning=ExperimentalWarning"];
    await promisify(execFile)(process.execPath, [...flags, script, folder]);
    const names = await readdir(folder);
    return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)));
  } finally {
    await rm(folder, { recursive: true });
  }
}
