import type { Plugin } from "vite";
import { filesOf } from "./in-node.ts";
import { madeFiles } from "./made-files.ts";

/** `virtual:opening`: the moments that the first figure shows before anything is computed, drawn once by this process. */
export function openingPlugin(): Plugin {
  let drawn: Promise<Uint8Array> | undefined;
  return madeFiles("opening", () => (drawn ??= draw()));
}

async function draw(): Promise<Uint8Array> {
  const [file] = (await filesOf("draw-opening.ts")).values();
  return file;
}
