import { stat } from "node:fs/promises";
import type { ImageDataset } from "../../../data/dataset.ts";
import { datasetImages } from "../../../evaluation/dataset-batches.ts";
import type { ImageBatch } from "../../../io/pixels.ts";

/** Images that are compared with a dataset. */
export interface GivenImages {
  readonly path: string;
  readonly images: ImageBatch<Uint8Array>;
}

/**
 * The images that --images names: those of a directory, scaled and cut to the size of a dataset's, or those of an IDX
 * file, which must have that size.
 */
export async function givenImages(path: string, dataset: ImageDataset): Promise<GivenImages> {
  const { name, height, width, channels } = dataset;
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) {
    throw new Error(`--images must be a directory of images or an IDX file that exists, got ${path}`);
  }
  if (status.isDirectory()) {
    const { imageFolder } = await import("../../../data/image-folder/image-folder.node.ts");
    return { path, images: await datasetImages(await imageFolder({ directory: path, height, width, channels })) };
  }
  const { idxPair } = await import("../../../data/idx.node.ts");
  const images = await datasetImages(await idxPair({ images: path }));
  const [, ...size] = images.shape;
  if (String(size) === String([height, width, channels])) return { path, images };
  throw new Error(
    `--images: those of ${path} are [${size.join(", ")}], those of ${name} [${height}, ${width}, ${channels}]`,
  );
}
