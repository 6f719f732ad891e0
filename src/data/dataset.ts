import { imageClasses } from "./conditions.ts";
import type { ConditionSource } from "./conditions.ts";
import { checkOptions } from "../config/rules.ts";

/** A source of images of one size, as bytes NHWC. */
export interface ImageDataset {
  readonly name: string;
  /** Where the images came from, for people: "the cache /home/x/.cache/unnoise/fashion-mnist". */
  readonly source: string;
  /** Number of images. */
  readonly length: number;
  readonly height: number;
  readonly width: number;
  /** 1 gray, 3 RGB. */
  readonly channels: number;
  /** Class of every image, from 0. */
  readonly labels?: Int32Array | undefined;
  /** Names of the classes, by label. */
  readonly classNames?: readonly string[] | undefined;
  /** What else there is to tell of the images, such as {@link imageVectors} or {@link imageContexts}. */
  readonly conditions?: readonly ConditionSource[] | undefined;
  /**
   * Copies images into `out`, one after the other in the order of `indices`.
   *
   * @param out indices.length x height x width x channels bytes.
   */
  read(indices: ArrayLike<number>, out: Uint8Array): void | Promise<void>;
}

/** All that a dataset tells of its images, their classes included. */
export function conditionSources({ labels, conditions = [] }: ImageDataset): readonly ConditionSource[] {
  return labels ? [imageClasses(labels), ...conditions] : conditions;
}

/** Shapes of one image's values of all conditions, by name. */
export function conditionShapes(dataset: ImageDataset): Readonly<Record<string, readonly number[]>> {
  return Object.assign({}, ...conditionSources(dataset).map(({ shapes }) => shapes)) as Record<string, number[]>;
}

/** Some images of a dataset, in the order of `indices`. */
export function subsetOf(dataset: ImageDataset, indices: ArrayLike<number>): ImageDataset {
  const { labels, conditions } = dataset;
  const places = (own: ArrayLike<number>): number[] => Array.from(own, (index) => indices[index]);
  const subset: ImageDataset = {
    ...dataset,
    length: indices.length,
    labels: labels && Int32Array.from(indices, (index) => labels[index]),
    conditions: conditions?.map((source) => ({ shapes: source.shapes, batch: (own) => source.batch(places(own)) })),
    read(own, out) {
      checkRead(subset, own, out);
      return dataset.read(places(own), out);
    },
  };
  return subset;
}

export interface MemoryDatasetOptions {
  readonly name: string;
  readonly source?: string | undefined;
  /** Bytes of all images, NHWC; kept, not copied. */
  readonly images: Uint8Array;
  /** [images, height, width, channels] */
  readonly shape: readonly number[];
  /** One per image. */
  readonly labels?: ArrayLike<number> | undefined;
  readonly classNames?: readonly string[] | undefined;
}

/**
 * A dataset of images that are in memory already.
 *
 * @throws Error if images, shape and labels do not fit together.
 */
export function memoryDataset(options: MemoryDatasetOptions): ImageDataset {
  checkOptions("memoryDataset", options, {
    name: "string",
    source: "string",
    images: "list",
    shape: "list",
    labels: "list",
    classNames: "list",
  });
  const { name, source = "memory", images, classNames } = options;
  const { shape = [] } = options as Partial<MemoryDatasetOptions>;
  const [length = 0, height = 0, width = 0, channels = 0] = shape;
  const imageBytes = height * width * channels;
  if (shape.length !== 4 || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new Error(
      `${name}: images must be [count, height, width, channels], none of them 0, got [${shape.join(", ")}]`,
    );
  }
  if (images.length !== length * imageBytes) {
    throw new Error(`${name}: images of shape [${shape.join(", ")}] do not have ${images.length} bytes`);
  }
  const labels = options.labels && checkLabels(name, Int32Array.from(options.labels), length, classNames);
  const read = (indices: ArrayLike<number>, out: Uint8Array): void => {
    checkRead(dataset, indices, out);
    for (let row = 0; row < indices.length; row++) {
      const start = indices[row] * imageBytes;
      out.set(images.subarray(start, start + imageBytes), row * imageBytes);
    }
  };
  const dataset: ImageDataset = { name, source, length, height, width, channels, labels, classNames, read };
  return dataset;
}

/** Checks what every dataset's `read` is given. */
export function checkRead(dataset: ImageDataset, indices: ArrayLike<number>, out: Uint8Array): void {
  const { name, length, height, width, channels } = dataset;
  const bytes = indices.length * height * width * channels;
  if (out.length !== bytes) {
    throw new Error(`${name}: ${indices.length} images need an output of ${bytes} bytes, got ${out.length}`);
  }
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row];
    if (!Number.isInteger(index) || index < 0 || index >= length) {
      throw new Error(`${name}: there is no image ${index}, the dataset has ${length}`);
    }
  }
}

export function checkLabels(
  name: string,
  labels: Int32Array,
  length: number,
  classNames: readonly string[] | undefined,
): Int32Array {
  if (labels.length !== length) throw new Error(`${name}: ${labels.length} labels for ${length} images`);
  const classes = classNames?.length ?? Infinity;
  const wrong = labels.find((label) => label < 0 || label >= classes);
  if (wrong !== undefined) throw new Error(`${name}: label ${wrong}, there are ${classes} classes`);
  return labels;
}
