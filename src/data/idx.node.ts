import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { errorCode, errorLine, fileError } from "../io/file-errors.node.ts";
import type { ImageDataset } from "./dataset.ts";
import { idxDataset } from "./idx.ts";
import type { IdxFile } from "./idx.ts";

/** More than any such file holds, so that a small hostile archive cannot fill the memory. */
const maxBytes = 2 ** 31;

/** Unpacks gzip where the first bytes say so, and returns anything else as it is. */
export async function unpack(bytes: Uint8Array, source: string, limit = maxBytes): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: limit });
  } catch (error) {
    const problem =
      errorCode(error) === "ERR_BUFFER_TOO_LARGE" ? `it unpacks to more than ${limit} bytes` : errorLine(error);
    throw new Error(`${source}: damaged gzip file: ${problem}`, { cause: error });
  }
}

/** A file as it is on the disk, and unpacked. */
export interface PackedFile extends IdxFile {
  readonly packed: Uint8Array;
}

/** Reads a file and unpacks it if it is gzipped. */
export async function readPacked(path: string): Promise<PackedFile> {
  let packed: Uint8Array;
  try {
    packed = await readFile(path);
  } catch (error) {
    throw fileError(path, "read", error);
  }
  return { packed, bytes: await unpack(packed, path), source: path };
}

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
export async function idxPair({ images, labels, name, classNames }: IdxPairOptions): Promise<ImageDataset> {
  return idxDataset({
    name: name ?? basename(images),
    source: `the file ${images}`,
    images: await readPacked(images),
    labels: labels === undefined ? undefined : await readPacked(labels),
    classNames,
  });
}
