import { fileURLToPath } from "node:url";
import { normalizePath } from "vite";
import type { Plugin } from "vite";
import { compilerVersion } from "../src/backend/common/kept/compiler-digest.node.ts";

/** The text of the module that says which compiler it is, once that is certain. */
export async function compilerVersionModule(): Promise<string> {
  return `export const COMPILER_VERSION = ${JSON.stringify(await compilerVersion())};\n`;
}

/**
 * For Vite, where a site is built from the library's sources: lets its pages keep programs, and take those that `compileAhead`
 * made. To be among the plugins of its workers too.
 */
export function withCompilerVersion(): Plugin {
  const file = fileURLToPath(new URL("../src/backend/common/kept/compiler-version.ts", import.meta.url));
  const module = normalizePath(file);
  return {
    name: "compiler-version",
    apply: "build",
    load: { order: "pre", handler: (id) => (id === module ? compilerVersionModule() : undefined) },
  };
}
