import type { ImageDataset } from "../../data/dataset.ts";
import type { ImageBatch } from "../../io/images/pixels.ts";
import type { Evaluation } from "../evaluate-samples.ts";

/**
 * The samples that come nearest to the dataset in feature space, the nearest first; under each the image of the dataset
 * that is nearest in feature space, and the one that is nearest in pixels.
 *
 * @param samples the images that were evaluated
 * @returns [3 columns, height, width, channels], in three rows
 */
export async function neighbourImages(
  samples: ImageBatch<Uint8Array>,
  { nearest }: Pick<Evaluation, "nearest">,
  dataset: ImageDataset,
  columns = 10,
): Promise<ImageBatch<Uint8Array>> {
  const [count, ...image] = samples.shape;
  const { distances } = nearest.features;
  const shown = Array.from({ length: count }, (_, i) => i)
    .toSorted((a, b) => distances[a] - distances[b])
    .slice(0, columns);
  const size = samples.data.length / count;
  const data = new Uint8Array(3 * shown.length * size);
  const row = (number: number): Uint8Array =>
    data.subarray(number * shown.length * size, (number + 1) * shown.length * size);
  for (const [column, sample] of shown.entries()) {
    row(0).set(samples.data.subarray(sample * size, (sample + 1) * size), column * size);
  }
  for (const [place, { indices }] of [nearest.features, nearest.pixels].entries()) {
    await dataset.read(
      shown.map((sample) => indices[sample]),
      row(place + 1),
    );
  }
  return { data, shape: [3 * shown.length, ...image] };
}
