// Writes dist/browser/: `unnoise/browser`, the library as one module for pages with the script of its worker inside, and
// `unnoise/worker`, that script by itself. In all of dist/ the library is told which compiler it has.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, normalizePath } from "vite";
import type { Plugin, Rolldown } from "vite";
import { compilerVersionModule, withCompilerVersion } from "./compiler-version.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const backend = join(root, "src", "backend");
const folder = join(root, "dist", "browser");

/** What stands in the place of a module of src/backend/. */
function standIns(scriptOfWorker: string): Readonly<Record<string, string>> {
  return {
    "opener.ts": `
import * as opener from "./open.browser.ts";
export const isNode = () => false;
export const loadOpener = async () => opener;`,
    "own-worker.browser.ts": `
import { startWorkerOf } from "./start-worker.browser.ts";
const script = ${JSON.stringify(scriptOfWorker)};
export const startOwnWorker = () => startWorkerOf(script);`,
  };
}

function replacing(modules: Readonly<Record<string, string>>): Plugin {
  const codes = new Map(Object.entries(modules).map(([name, code]) => [normalizePath(join(backend, name)), code]));
  return { name: "stand-ins", load: { order: "pre", handler: (id) => codes.get(id) } };
}

interface BundleOptions {
  readonly plugins?: readonly Plugin[];
  readonly output: Rolldown.OutputOptions;
}

/** Bundles a module of src/ and all that it needs into one file; returns its path. */
async function bundle(entry: string, name: string, { plugins = [], output }: BundleOptions): Promise<string> {
  await build({
    root,
    configFile: false,
    logLevel: "warn",
    plugins: [withCompilerVersion(), ...plugins],
    build: {
      outDir: folder,
      emptyOutDir: false,
      target: "es2023",
      lib: { entry: join(root, "src", entry), formats: ["es"], fileName: () => name },
      rolldownOptions: { output: { codeSplitting: false, ...output } },
    },
  });
  return join(folder, name);
}

const version = join(root, "dist", "backend", "common", "kept", "compiler-version.js");
await writeFile(version, await compilerVersionModule());
const worker = await bundle("backend/worker-entry.browser.ts", "worker.js", { output: { minify: true } });
// Classes keep their names, which summaries of models show.
await bundle("index.ts", "unnoise.js", {
  plugins: [replacing(standIns(await readFile(worker, "utf8")))],
  output: { keepNames: true, minify: { compress: true, mangle: true, codegen: { removeWhitespace: true } } },
});
