import { basename } from "node:path";
import type { ImageDataset } from "./dataset.ts";
import { idxDataset, idxFormat } from "./idx.ts";
import { readPacked } from "./packed-file.node.ts";
import { checkOptions } from "../config/rules.ts";

export interface IdxPairOptions {
  /** Path of the images, gzipped or not. */
  readonly images: string;
  /** Path of the labels, gzipped or not. */
  readonly labels?: string | undefined;
  /** The name of the images' file by default. */
  readonly name?: string | undefined;
  readonly classNames?: readonly string[] | undefined;
}

/**
 * Opens any IDX file of images, with or without one of labels, as a dataset in memory.
 *
 * @throws Error of one line naming the file that is missing, damaged or does not fit.
 */
export async function idxPair(options: IdxPairOptions): Promise<ImageDataset> {
  checkOptions("idxPair", options, { images: "string", labels: "string", name: "string", classNames: "list" });
  const { images, labels, name, classNames } = options;
  return idxDataset({
    name: name ?? basename(images),
    source: `the file ${images}`,
    images: await readPacked(images, idxFormat),
    labels: labels === undefined ? undefined : await readPacked(labels, idxFormat),
    classNames,
  });
}
