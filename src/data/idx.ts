import { butItIs } from "../io/content-kind.ts";
import type { FileFormat } from "../io/file-format.ts";
import { memoryDataset } from "./dataset.ts";
import type { ImageDataset } from "./dataset.ts";
import { checkOptions } from "../config/rules.ts";

/** The content of an IDX file of unsigned bytes, the format of MNIST. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const otherTypes: Readonly<Record<number, string>> = {
  0x09: "signed bytes",
  0x0b: "16-bit integers",
  0x0c: "32-bit integers",
  0x0d: "32-bit floats",
  0x0e: "64-bit floats",
};

const maxRank = 8;

/**
 * Reads an IDX file: two zero bytes, the type, the number of axes, each axis as a big-endian 32-bit number, the values.
 *
 * @param bytes The file, no longer compressed; the data is a view of it.
 * @param source Name of the file for messages.
 * @throws Error if it is no IDX file of unsigned bytes, or its length is not what its header says.
 */
export function parseIdx(bytes: Uint8Array, source: string): IdxArray {
  const header = parseIdxHeader(bytes, source, bytes.length);
  if (header === undefined) throw new Error("internal: an IDX file without a header");
  return { shape: header.shape, data: bytes.subarray(header.dataStart) };
}

/** What an IDX file says of itself before its values. */
export interface IdxHeader {
  readonly shape: readonly number[];
  readonly dataStart: number;
  /** Bytes of the values. */
  readonly dataBytes: number;
}

/**
 * Reads the header of an IDX file.
 *
 * @param start The first bytes of the file.
 * @param fileBytes Length of the whole file, where it is known.
 * @returns undefined if the header goes on after them
 * @throws Error if it is no IDX file of unsigned bytes, or the file's length is not what the header says
 */
export function parseIdxHeader(start: Uint8Array, source: string, fileBytes?: number): IdxHeader | undefined {
  const [first, second, type, rank] = start;
  if (start.length < 4 || first !== 0 || second !== 0 || type === 0)
    throw new Error(`${source}: not an IDX file${butItIs(start)}`);
  if (type !== 0x08) {
    const found = otherTypes[type] ?? `unknown type ${type}`;
    throw new Error(`${source}: an IDX file must hold unsigned bytes, this one has ${found}`);
  }
  const dataStart = 4 + 4 * rank;
  if (rank === 0 || rank > maxRank || dataStart > (fileBytes ?? Infinity)) {
    const length = fileBytes === undefined ? "" : ` in a file of ${fileBytes} bytes`;
    throw new Error(`${source}: damaged IDX file: ${rank} axes${length}`);
  }
  if (start.length < dataStart) return undefined;
  const view = new DataView(start.buffer, start.byteOffset, dataStart);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  // Beyond 2^53 the product is inexact, but far from any file's length.
  const dataBytes = shape.reduce((product, axis) => product * axis, 1);
  if (fileBytes !== undefined && dataBytes !== fileBytes - dataStart) {
    throw new Error(
      `${source}: damaged IDX file: shape [${shape.join(", ")}] needs ${dataBytes} bytes, ` +
        `the file has ${fileBytes - dataStart}`,
    );
  }
  return { shape, dataStart, dataBytes };
}

/** What is known of an IDX file before it is read. */
export const idxFormat: FileFormat = {
  maxBytes: 2 ** 31,
  extent: (source) => (start, fileBytes) => {
    const tooShort = start.length < 4 && fileBytes === undefined;
    const header = tooShort ? undefined : parseIdxHeader(start, source, fileBytes);
    return header && header.dataStart + header.dataBytes;
  },
};

/** One IDX file and its name for messages. */
export interface IdxFile {
  readonly bytes: Uint8Array;
  readonly source: string;
}

export interface IdxDatasetOptions {
  readonly name: string;
  readonly source: string;
  readonly images: IdxFile;
  readonly labels?: IdxFile | undefined;
  readonly classNames?: readonly string[] | undefined;
}

/**
 * A dataset of an IDX file of images ([count, height, width], or with a fourth axis of 1 or 3 channels) and, if given,
 * one of labels ([count]).
 *
 * @throws Error naming the file that is damaged or does not fit.
 */
export function idxDataset(options: IdxDatasetOptions): ImageDataset {
  checkOptions("idxDataset", options, {
    name: "string",
    source: "string",
    images: "object",
    labels: "object",
    classNames: "list",
  });
  const { name, source, images, labels, classNames } = options;
  const pixels = parseIdx(images.bytes, images.source);
  const shape = pixels.shape.length === 3 ? [...pixels.shape, 1] : pixels.shape;
  const channels = shape[3];
  if (shape[0] === 0) throw new Error(`${images.source}: holds no images`);
  if (shape.length !== 4 || shape.includes(0) || (channels !== 1 && channels !== 3)) {
    throw new Error(`${images.source}: images must be [count, height, width], got [${pixels.shape.join(", ")}]`);
  }
  const classes = labels && parseIdx(labels.bytes, labels.source);
  if (labels && classes && (classes.shape.length !== 1 || classes.data.length !== shape[0])) {
    throw new Error(`${labels.source}: ${shape[0]} images need as many labels, got [${classes.shape.join(", ")}]`);
  }
  const wrong = classes?.data.find((label) => label >= (classNames?.length ?? Infinity));
  if (labels && wrong !== undefined) {
    throw new Error(`${labels.source}: label ${wrong}, there are ${classNames?.length} classes`);
  }
  return memoryDataset({ name, source, images: pixels.data, shape, labels: classes?.data, classNames });
}
