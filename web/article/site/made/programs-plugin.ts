import type { Plugin } from "vite";
import { filesOf } from "./in-node.ts";

/** Where the programs lie in the site. */
const FOLDER = "programs/";

/**
 * Compiles the programs of the figures while the site is built, so that pages compile none, and tells pages that they are
 * there: `<html data-programs="programs/">`, from the site's root. It takes a while, so tests build in the mode `isolated`, for
 * one kind of pages alone, or `without programs`.
 */
export function programsPlugin(): Plugin {
  let compiled: ReturnType<typeof filesOf> | undefined;
  let kinds: string[] = [];
  return {
    name: "programs",
    apply: (_, { command, mode }) => command === "build" && mode !== "without programs",
    configResolved({ mode }) {
      kinds = mode === "isolated" ? [mode] : [];
    },
    buildStart() {
      compiled = filesOf("ahead.ts", kinds);
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
