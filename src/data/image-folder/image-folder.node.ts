import { decodeImage } from "../../io/images/images.node.ts";
import { checkRead } from "../dataset.ts";
import type { ImageDataset } from "../dataset.ts";
import { checkImages } from "./check.node.ts";
import type { CheckedFile } from "./check.node.ts";
import { KeptImages } from "./kept-images.ts";
import { layoutOf } from "./layout.ts";
import type { FolderSplit, Layout } from "./layout.ts";
import { listImages } from "./listing.node.ts";
import type { FoundFile, LeftOut } from "./listing.node.ts";
import { chooseSize, surveyOf } from "./survey.ts";
import type { Survey } from "./survey.ts";
import { checkOptions } from "../../config/rules.ts";

export interface ImageFolderOptions {
  readonly directory: string;
  /** Chosen from the images by default: theirs, if it is the same for all and at most 64, else a square of up to 32. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** 3 (RGB) or 1 (gray); by default 3 if there are images in colour. */
  readonly channels?: number | undefined;
  /** Whether subdirectories are classes, true by default. */
  readonly classes?: boolean | undefined;
  /** Which of `train/` and `test/` is read where the directory has both, "train" by default. */
  readonly split?: FolderSplit | undefined;
  /** Leaves images out that cannot be read, false by default. */
  readonly skipBroken?: boolean | undefined;
  /** A size that is chosen is divisible by this; 8 by default. */
  readonly sizeMultiple?: number | undefined;
  /** Bytes of decoded images that are kept in memory, 1 GiB by default. */
  readonly memoryBytes?: number | undefined;
  /** Is told what takes a while. */
  readonly log?: ((line: string) => void) | undefined;
}

/** A dataset of the images of a directory, and what was found there. */
export interface ImageFolder extends ImageDataset {
  readonly survey: Survey;
  /** Files and folders that are no part of the dataset, with the reason of each. */
  readonly leftOut: readonly LeftOut[];
  /** Why subdirectories are no classes, where they could be expected to be. */
  readonly noClasses?: string | undefined;
}

/** Broken files that an error names. */
const NAMED = 20;

/** Images that cannot be read, all that a directory has of them. */
export class BrokenImages extends Error {
  constructor(directory: string, broken: readonly LeftOut[]) {
    const named = broken.slice(0, NAMED).map(({ path, reason }) => `${path}: ${reason}`);
    const more = broken.length > NAMED ? [`and ${broken.length - NAMED} more`] : [];
    const count = broken.length === 1 ? "1 image" : `${broken.length} images`;
    super(`${directory}: ${count} cannot be read: ${[...named, ...more].join("; ")}`);
  }
}

/** Images that take a while to look at. */
const MANY = 2000;

/**
 * Opens a directory of images (PNG, JPEG, WebP, GIF, TIFF, AVIF), with those in its subdirectories, as a dataset. Every
 * image is scaled and cut to one size as {@link decodeImage} does. If the images lie in two or more subdirectories, then
 * their names in alphabetical order are the classes; `train/` and `test/` are not, one of them is read. Hidden files and
 * folders, and runs of this program, are left out.
 *
 * All files are looked at once, and those that are broken are named together. Images are decoded again when they are
 * first read; as many as fit into `memoryBytes` stay decoded.
 *
 * @throws Error of one line if the directory cannot be listed or has no images; {@link BrokenImages} if it has broken ones
 */
export async function imageFolder(options: ImageFolderOptions): Promise<ImageFolder> {
  checkOptions("imageFolder", options, optionTypes);
  checkSizes(options);
  const { directory, classes = true, split = "train", skipBroken = false, sizeMultiple = 8 } = options;
  const layout = layoutOf(await listImages(directory), { classes, split });
  if (layout.images.length === 0) throw new Error(`${directory}: no images there${whatElse(layout.leftOut)}`);
  if (layout.images.length > MANY) options.log?.(`looking at ${layout.images.length.toLocaleString("en")} images ...`);
  const checked = await checkImages(directory, layout.images);
  const broken = brokenOf(layout.images, checked);
  if (broken.length > 0 && (!skipBroken || broken.length === layout.images.length)) {
    throw new BrokenImages(directory, broken);
  }
  const { images, labels, classNames, leftOut } = broken.length > 0 ? without(layout, checked) : layout;
  const survey = surveyOf(checked.filter(({ problem }) => problem === undefined));
  const chosen = chooseSize(survey, sizeMultiple);
  const { width = chosen.width, height = chosen.height, channels = survey.isColour ? 3 : 1 } = options;
  const { memoryBytes = 2 ** 30 } = options;
  const kept = new KeptImages(images.length, height * width * channels, memoryBytes, async (index) =>
    decodeImage(images[index].path, { width, height, channels }),
  );
  const dataset: ImageFolder = {
    name: directory,
    source: `the directory ${directory}`,
    length: images.length,
    height,
    width,
    channels,
    ...(labels && { labels, classNames }),
    survey,
    leftOut: [...leftOut, ...broken],
    noClasses: layout.noClasses,
    read: async (indices, out) => {
      checkRead(dataset, indices, out);
      try {
        await kept.read(indices, out);
      } catch (error) {
        throw await moreOf(error, directory, images);
      }
    },
  };
  return dataset;
}

const optionTypes = {
  directory: "string",
  width: "number",
  height: "number",
  channels: "number",
  classes: "boolean",
  split: "string",
  skipBroken: "boolean",
  sizeMultiple: "number",
  memoryBytes: "number",
  log: "function",
} as const satisfies Record<keyof ImageFolderOptions, string>;

function checkSizes({ width, height, channels, sizeMultiple }: ImageFolderOptions): void {
  for (const [name, size] of Object.entries({ width, height, sizeMultiple })) {
    if (size !== undefined && (!Number.isInteger(size) || size < 1))
      throw new Error(`imageFolder: ${name} must be a positive integer, got ${size}`);
  }
  if (channels !== undefined && channels !== 1 && channels !== 3)
    throw new Error(`imageFolder: channels must be 1 or 3, got ${channels}`);
}

function whatElse(leftOut: readonly LeftOut[]): string {
  const [first] = leftOut;
  if (first === undefined) return "";
  const others = leftOut.length === 1 ? "" : ` and ${leftOut.length - 1} more`;
  return `, but ${first.name} (${first.reason})${others}`;
}

function brokenOf(images: readonly FoundFile[], checked: readonly CheckedFile[]): LeftOut[] {
  return images.flatMap((file, index) => {
    const { problem } = checked[index];
    return problem === undefined ? [] : [{ ...file, reason: problem }];
  });
}

/** The layout without the images that cannot be read. Classes stay, even those that have none left. */
function without(layout: Layout, checked: readonly CheckedFile[]): Layout {
  const isWhole = (_: unknown, index: number): boolean => checked[index].problem === undefined;
  const { labels } = layout;
  return { ...layout, images: layout.images.filter(isWhole), ...(labels && { labels: labels.filter(isWhole) }) };
}

/** Where one image turns out to be broken, others may be too: all of them are named at once. */
async function moreOf(error: unknown, directory: string, images: readonly FoundFile[]): Promise<unknown> {
  const broken = brokenOf(images, await checkImages(directory, images, true));
  return broken.length > 0 ? new BrokenImages(directory, broken) : error;
}
