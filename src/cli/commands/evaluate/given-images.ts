import { stat } from "node:fs/promises";
import type { ImageDataset } from "../../../data/dataset.ts";
import { datasetImages } from "../../../evaluation/dataset-batches.ts";
import { openImageFolder } from "../../flags/images/dataset.ts";
import type { ImageBatch } from "../../../io/images/pixels.ts";

/** Images that are there already, to be compared with a dataset. */
export interface GivenImages {
  readonly path: string;
  /** [height, width] of all; undefined where they have several sizes. */
  readonly imageSize: readonly [number, number] | undefined;
  /** In the size and the channels of a dataset. @throws Error of one line if they are not of that kind */
  readAs(dataset: ImageDataset, resize: boolean): Promise<ImageBatch<Uint8Array>>;
}

/**
 * The images that --images names: those of a directory or of an IDX file.
 *
 * @param skipBroken leaves out those of a directory that cannot be read
 */
export async function givenImages(path: string, skipBroken = false): Promise<GivenImages> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) {
    throw new Error(`--images must be a directory of images or an IDX file that exists, got ${path}`);
  }
  if (status.isDirectory()) {
    return folderImages(path, skipBroken);
  }
  const { idxPair } = await import("../../../data/idx.node.ts");
  return idxImages(path, await idxPair({ images: path }));
}

async function folderImages(directory: string, skipBroken: boolean): Promise<GivenImages> {
  const { survey } = await openImageFolder({ directory, skipBroken });
  const { smallest, largest, isColour } = survey;
  const isUniform = smallest.width === largest.width && smallest.height === largest.height;
  return {
    path: directory,
    imageSize: isUniform ? [largest.height, largest.width] : undefined,
    readAs: async ({ name, height, width, channels }, resize) => {
      const fits = isUniform && largest.width === width && largest.height === height && !(isColour && channels === 1);
      if (!fits && !resize) {
        const sizes = [smallest, largest].slice(isUniform ? 1 : 0).map((size) => `${size.width} x ${size.height}`);
        throw new Error(
          `--images: those of ${directory} have ${sizes.join(" to ")} pixels ${inColour(isColour)}, ` +
            `those of ${name} ${width} x ${height} ${inColour(channels === 3)}; --resize makes them alike`,
        );
      }
      return datasetImages(await openImageFolder({ directory, skipBroken, height, width, channels }));
    },
  };
}

function idxImages(path: string, images: ImageDataset): GivenImages {
  const size = [images.height, images.width, images.channels];
  return {
    path,
    imageSize: [images.height, images.width],
    readAs: ({ name, height, width, channels }) => {
      if (String(size) === String([height, width, channels])) return datasetImages(images);
      throw new Error(
        `--images: those of ${path} are [${size.join(", ")}], those of ${name} [${height}, ${width}, ${channels}]`,
      );
    },
  };
}

function inColour(isColour: boolean): string {
  return isColour ? "in colour" : "in gray";
}
