import { fashionMnist } from "../../../../src/data/published/fashion-mnist.node.ts";
import type { Plugin } from "vite";
import { GARMENTS, SIDE, halved } from "../../figures/common/garment-sizes.ts";
import { madeFiles } from "./made-files.ts";

/**
 * Makes files of the test images for the page: `virtual:garments` has the first garments, `virtual:garments/small/9` all of
 * the class 9 at half the size. Bytes, one image after the other.
 */
export function garmentsPlugin(): Plugin {
  return madeFiles("garments", garmentFile);
}

/** @param path "" or "/small/9" */
async function garmentFile(path: string): Promise<Uint8Array> {
  const dataset = await fashionMnist({ split: "test" });
  const label = /^\/small\/(\d)$/.exec(path)?.[1];
  if (path !== "" && label === undefined) throw new Error(`virtual:garments: there is no ${path}`);
  const all = Array.from({ length: label === undefined ? GARMENTS : dataset.length }, (_, i) => i);
  const wanted = label === undefined ? all : all.filter((i) => dataset.labels?.[i] === Number(label));
  const bytes = new Uint8Array(wanted.length * SIDE ** 2);
  await dataset.read(wanted, bytes);
  return label === undefined ? bytes : halved(bytes);
}
