import { createHash } from "node:crypto";
import type { ImageDataset } from "../data/dataset.ts";
import type { ImageBatch } from "../io/images/pixels.ts";
import { datasetBatches } from "./dataset-batches.ts";

/** SHA-256 of all images of a dataset and their shape: equal for equal images in the same order. */
export async function datasetFingerprint(dataset: ImageDataset): Promise<string> {
  const { length, height, width, channels } = dataset;
  const hash = createHash("sha256").update(`${[length, height, width, channels].join(" ")}\n`);
  for await (const { images } of datasetBatches(dataset)) hash.update(images.data);
  return hash.digest("hex");
}

/** The same of images that are in memory. */
export function imagesFingerprint({ data, shape }: ImageBatch<Uint8Array>): string {
  return createHash("sha256")
    .update(`${shape.join(" ")}\n`)
    .update(data)
    .digest("hex");
}
