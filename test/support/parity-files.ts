import { readFileSync } from "node:fs";
import { parseSafetensors } from "../../src/io/safetensors/safetensors.ts";
import type { ParityFiles } from "../../src/parity/parity-case.ts";

/** The files of a case under test/fixtures/parity/. */
export function parityFiles(name: string): ParityFiles {
  const read = (file: string): Buffer => readFileSync(new URL(`../fixtures/parity/${name}/${file}`, import.meta.url));
  return {
    name,
    meta: JSON.parse(read("meta.json").toString("utf8")),
    weights: parseSafetensors(read("unet.safetensors"), "unet.safetensors"),
    io: parseSafetensors(read("unet_io.safetensors"), "unet_io.safetensors"),
  };
}
