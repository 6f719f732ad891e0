import { checkOptions } from "../../config/rules.ts";
import { decodeEncoded, probeEncoded } from "../../io/images/images.node.ts";
import { checkLabels, checkRead } from "../dataset.ts";
import type { ImageDataset } from "../dataset.ts";
import { KeptImages, inParallel } from "../image-folder/kept-images.ts";
import { chooseSize, surveyOf } from "../image-folder/survey.ts";
import type { SeenImage, Survey } from "../image-folder/survey.ts";
import type { ColumnChoice } from "./features.ts";
import { readParquetImages } from "./parquet-file.node.ts";

export interface ParquetDatasetOptions extends ColumnChoice {
  /** Paths of the files, which follow one another. */
  readonly files: readonly string[];
  /** What it is called; the first file's path by default. */
  readonly name?: string | undefined;
  /** Where it came from, for people. */
  readonly source?: string | undefined;
  /** Chosen from the images by default, as `imageFolder` does. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** 3 (RGB) or 1 (gray); by default 3 if there are images in colour. */
  readonly channels?: number | undefined;
  /** Whether labels are classes, true by default. */
  readonly classes?: boolean | undefined;
  /** A size that is chosen is divisible by this; 8 by default. */
  readonly sizeMultiple?: number | undefined;
  /** Bytes of decoded images that are kept in memory, 1 GiB by default. */
  readonly memoryBytes?: number | undefined;
}

/** A dataset of the images of Parquet files, and what was seen of them. */
export interface ParquetDataset extends ImageDataset {
  /** Of some of the images. */
  readonly survey: Survey;
}

/** Images that are looked at before a size is chosen. */
const SEEN = 512;
/** Stored images stay in memory, so there cannot be any number of them. */
const MOST_BYTES = 8 * 2 ** 30;

const optionTypes = {
  files: "object",
  name: "string",
  source: "string",
  imageColumn: "string",
  labelColumn: "string",
  width: "number",
  height: "number",
  channels: "number",
  classes: "boolean",
  sizeMultiple: "number",
  memoryBytes: "number",
} as const satisfies Record<keyof ParquetDatasetOptions, string>;

/**
 * Opens Parquet files of images as the Hugging Face hub has them: a column of { bytes, path } with stored images (PNG, JPEG
 * and the like), and where there are classes one of labels, whose names are in the files' metadata. Every image is scaled
 * and cut to one size as `decodeImage` does.
 *
 * @example
 * const dataset = await parquetDataset({ files: ["train-00000-of-00001.parquet"] });
 * @throws Error of one line naming the file if it cannot be read or has no images
 */
export async function parquetDataset(options: ParquetDatasetOptions): Promise<ParquetDataset> {
  checkOptions("parquetDataset", options, optionTypes);
  const { files, classes = true, sizeMultiple = 8, memoryBytes = 2 ** 30 } = options;
  const [first] = files;
  if (first === undefined) throw new Error("parquetDataset: files must name a file, got none");
  const { name = first, source = files.join(", ") } = options;
  const { encoded, labels, classNames } = await readAll(files, options);
  const nameOf = (index: number): string => `${name}: image ${index}`;
  const survey = surveyOf(await look(encoded, nameOf));
  const chosen = chooseSize(survey, sizeMultiple);
  const { width = chosen.width, height = chosen.height, channels = survey.isColour ? 3 : 1 } = options;
  for (const [option, value] of Object.entries({ width, height, channels })) {
    if (Number.isInteger(value) && value >= 1 && (option !== "channels" || value === 1 || value === 3)) continue;
    throw new Error(
      `parquetDataset: ${option} must be ${option === "channels" ? "1 or 3" : "at least 1"}, got ${value}`,
    );
  }
  const kept = new KeptImages(encoded.length, height * width * channels, memoryBytes, async (index) =>
    decodeEncoded(encoded[index], nameOf(index), { width, height, channels }),
  );
  const isLabelled = classes && labels !== undefined && !labels.some((label) => label < 0);
  const dataset: ParquetDataset = {
    name,
    source,
    length: encoded.length,
    height,
    width,
    channels,
    ...(isLabelled && {
      labels: checkLabels(name, Int32Array.from(labels), encoded.length, classNames),
      classNames: classNames ?? numbered(labels),
    }),
    survey,
    read: async (indices, out) => {
      checkRead(dataset, indices, out);
      await kept.read(indices, out);
    },
  };
  return dataset;
}

async function readAll(files: readonly string[], choice: ColumnChoice) {
  const encoded: Uint8Array[] = [];
  const labels: number[] = [];
  let names: readonly string[] | undefined;
  let bytes = 0;
  for (const file of files) {
    const read = await readParquetImages(file, choice);
    bytes += read.encoded.reduce((sum, { length }) => sum + length, 0);
    if (bytes > MOST_BYTES)
      throw new Error(`${file}: the images have more than ${MOST_BYTES / 2 ** 30} GiB with this file`);
    if (encoded.length > 0 && String(names) !== String(read.classNames)) {
      throw new Error(`${file}: its classes are other than those of ${files[0]}`);
    }
    names = read.classNames;
    for (const image of read.encoded) encoded.push(image);
    for (const label of read.labels ?? []) labels.push(label);
  }
  if (encoded.length === 0) throw new Error(`${files.join(", ")}: no images there`);
  return { encoded, labels: labels.length === encoded.length ? labels : undefined, classNames: names };
}

/** Looks at images from all parts of a dataset. */
async function look(encoded: readonly Uint8Array[], nameOf: (index: number) => string): Promise<SeenImage[]> {
  const count = Math.min(SEEN, encoded.length);
  const seen: SeenImage[] = [];
  await inParallel(count, async (i) => {
    const index = Math.floor((i * encoded.length) / count);
    seen[i] = { ...(await probeEncoded(encoded[index], nameOf(index))), isDecoded: true };
  });
  return seen;
}

/** Names of classes that have none. */
function numbered(labels: readonly number[]): string[] {
  return Array.from({ length: labels.reduce((most, label) => Math.max(most, label), 0) + 1 }, (_, label) => `${label}`);
}
