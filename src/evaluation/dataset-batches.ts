import type { ImageDataset } from "../data/dataset.ts";
import type { ImageBatch } from "../io/images/pixels.ts";
import { sizeOf } from "../tensor/shape.ts";

const BATCH = 1024;

export interface DatasetBatch {
  /** Index of its first image. */
  readonly start: number;
  readonly images: ImageBatch<Uint8Array>;
}

/** All images of a dataset in their order, a bounded number at a time. */
export async function* datasetBatches(dataset: ImageDataset, batchSize = BATCH): AsyncGenerator<DatasetBatch> {
  for (let start = 0; start < dataset.length; start += batchSize) {
    yield { start, images: await readImages(dataset, start, Math.min(batchSize, dataset.length - start)) };
  }
}

/** All images of a dataset at once. */
export async function datasetImages(dataset: ImageDataset): Promise<ImageBatch<Uint8Array>> {
  return readImages(dataset, 0, dataset.length);
}

/** Up to `count` images that stand for a dataset, spread evenly over it, and their indices there. */
export async function representativeImages(
  dataset: ImageDataset,
  count: number,
): Promise<{ readonly indices: Uint32Array; readonly images: ImageBatch<Uint8Array> }> {
  const length = Math.min(count, dataset.length);
  const indices = Uint32Array.from({ length }, (_, i) => Math.floor((i * dataset.length) / length));
  return { indices, images: await readIndices(dataset, indices) };
}

function readImages(dataset: ImageDataset, start: number, count: number): Promise<ImageBatch<Uint8Array>> {
  return readIndices(
    dataset,
    Uint32Array.from({ length: count }, (_, i) => start + i),
  );
}

async function readIndices(dataset: ImageDataset, indices: Uint32Array): Promise<ImageBatch<Uint8Array>> {
  const shape = [indices.length, dataset.height, dataset.width, dataset.channels];
  const data = new Uint8Array(sizeOf(shape));
  await dataset.read(indices, data);
  return { data, shape };
}
