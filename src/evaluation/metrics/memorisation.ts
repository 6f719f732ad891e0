import type { ImageDataset } from "../../data/dataset.ts";
import type { ImageBatch } from "../../io/images/pixels.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { datasetBatches, representativeImages } from "../dataset-batches.ts";
import { nearestNeighbours } from "./nearest-neighbours.ts";
import type { NearestNeighbours, VectorBlock } from "./nearest-neighbours.ts";
import { vectorsAt } from "./pairwise.ts";
import type { Distances } from "./pairwise.ts";

/** Two ways to look at how far images are from each other. */
export interface InBothSpaces<Value> {
  readonly features: Value;
  /** As root mean square difference of pixels, from 0 to 1. */
  readonly pixels: Value;
}

/** Images of a dataset that stand for it. */
const REPRESENTATIVES = 1000;

/** The nearest image of a dataset for each sample: what a model that copies is caught by. */
export async function nearestImages(
  distances: Distances,
  samples: { readonly images: ImageBatch<Uint8Array>; readonly features: NdArray },
  dataset: ImageDataset,
  features: NdArray,
  own?: Uint32Array,
): Promise<InBothSpaces<NearestNeighbours>> {
  return {
    features: await nearestNeighbours(distances, samples.features, [{ start: 0, vectors: features }], own),
    pixels: await nearestNeighbours(distances, pixelVectors(samples.images), pixelBlocks(dataset), own),
  };
}

/**
 * The median distance of an image of a dataset to its nearest other one, over up to 1,000 images spread evenly: the
 * measure for how near samples may come to the dataset. A model that copies comes much nearer.
 */
export async function medianSpread(
  distances: Distances,
  dataset: ImageDataset,
  features: NdArray,
): Promise<InBothSpaces<number>> {
  const { indices, images } = await representativeImages(dataset, REPRESENTATIVES);
  const samples = { images, features: vectorsAt(features, indices) };
  return medians(await nearestImages(distances, samples, dataset, features, indices));
}

export function medians({ features, pixels }: InBothSpaces<NearestNeighbours>): InBothSpaces<number> {
  return { features: median(features.distances), pixels: median(pixels.distances) };
}

function median(values: Float64Array): number {
  const sorted = values.toSorted();
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

async function* pixelBlocks(dataset: ImageDataset): AsyncGenerator<VectorBlock> {
  for await (const { start, images } of datasetBatches(dataset)) yield { start, vectors: pixelVectors(images) };
}

function pixelVectors({ data, shape: [count] }: ImageBatch<Uint8Array>): NdArray {
  return ndarray(
    Float32Array.from(data, (byte) => byte / 255),
    [count, data.length / count],
  );
}
