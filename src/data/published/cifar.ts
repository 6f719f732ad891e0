import { butItIs } from "../../io/content-kind.ts";
import type { FileFormat } from "../../io/file-format.ts";
import { memoryDataset } from "../dataset.ts";
import type { ImageDataset } from "../dataset.ts";

/** One batch of the binary version, and its name for messages. */
export interface CifarFile {
  readonly bytes: Uint8Array;
  readonly source: string;
}

export interface CifarDatasetOptions {
  readonly name: string;
  readonly source: string;
  readonly batches: readonly CifarFile[];
  readonly classNames: readonly string[];
}

const SIDE = 32;
const PIXELS = SIDE * SIDE;
/** A label, then all red, all green and all blue values. */
const RECORD = 1 + 3 * PIXELS;

/** What is known of a batch before it is read: a label comes first, and records follow each other. */
export const cifarFormat: FileFormat = {
  maxBytes: 50_000 * RECORD,
  extent: (source) => (start, fileBytes) => {
    if (start[0] > 99 || (fileBytes ?? RECORD) % RECORD !== 0 || fileBytes === 0) {
      throw new Error(`${source}: not a CIFAR-10 batch${butItIs(start) || `: no records of ${RECORD} bytes`}`);
    }
    return fileBytes;
  },
};

/**
 * A dataset of batches in the binary format of CIFAR-10 (Krizhevsky 2009).
 *
 * @throws Error naming the batch that is damaged
 */
export function cifarDataset({ name, source, batches, classNames }: CifarDatasetOptions): ImageDataset {
  for (const { bytes, source } of batches) checkBatch(bytes, source, classNames.length);
  const count = batches.reduce((sum, { bytes }) => sum + bytes.length / RECORD, 0);
  const images = new Uint8Array(count * 3 * PIXELS);
  const labels = new Int32Array(count);
  let image = 0;
  for (const { bytes } of batches) {
    for (let at = 0; at < bytes.length; at += RECORD, image++) {
      labels[image] = bytes[at];
      const out = images.subarray(image * 3 * PIXELS, (image + 1) * 3 * PIXELS);
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        for (let channel = 0; channel < 3; channel++) {
          out[pixel * 3 + channel] = bytes[at + 1 + channel * PIXELS + pixel];
        }
      }
    }
  }
  return memoryDataset({ name, source, images, shape: [count, SIDE, SIDE, 3], labels, classNames });
}

function checkBatch(bytes: Uint8Array, source: string, classes: number): void {
  if (bytes.length === 0 || bytes.length % RECORD !== 0) {
    throw new Error(`${source}: not a CIFAR-10 batch: ${bytes.length} bytes are no multiple of ${RECORD}`);
  }
  for (let at = 0; at < bytes.length; at += RECORD) {
    if (bytes[at] < classes) continue;
    throw new Error(`${source}: label ${bytes[at]} of image ${at / RECORD}, there are ${classes} classes`);
  }
}
