import { heightAndWidth } from "../../../config/image-size.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import type { FlagValues } from "./flags.ts";

/** What a network asks of the sides of images: to be divisible by 2^n where it halves them n times, or by its patches. */
export function sizeMultiple({ model }: RunSettings): number {
  const { dimMults, channelMult, blockOutChannels, patchSize } = model;
  const resolutions = [dimMults, channelMult, blockOutChannels].find(Array.isArray);
  if (resolutions) return 2 ** (resolutions.length - 1);
  return typeof patchSize === "number" ? patchSize : 1;
}

/**
 * The settings of a run on these data: what nobody has said, such as the size, the channels and the classes of a
 * directory's images, is taken from them, so that no default stands against them. A line says what was chosen and which
 * flag changes it.
 */
export function fitToData(
  settings: RunSettings,
  dataset: ImageDataset,
  flags: FlagValues,
  say: (line: string) => void,
): RunSettings {
  const isFolder = "survey" in dataset;
  if (isFolder) checkSize(settings, sizeMultiple(settings));
  const { height, width, channels, length } = dataset;
  const { model, training } = settings;
  const numClasses = flags.numClasses === undefined ? classesOf(settings, dataset) : model.numClasses;
  // A batch has no image twice.
  const batchSize = flags.batchSize === undefined ? Math.min(training.batchSize, length) : training.batchSize;
  const dimMults = flags.dimMults === undefined ? dividing(model.dimMults, height, width) : undefined;
  const choices = [
    ...(isFolder && settings.imageSize === undefined ? [[`${width} x ${height} pixels`, "--image-size"]] : []),
    ...(isFolder && settings.channels === undefined ? [[channels === 1 ? "in gray" : "in colour", "--channels"]] : []),
    ...(numClasses === model.numClasses
      ? []
      : [[`${numClasses || "no"} classes`, isFolder ? "--no-classes" : "--num-classes"]]),
    ...(batchSize === training.batchSize ? [] : [[`batches of ${batchSize}`, "--batch-size"]]),
    ...(dimMults === undefined
      ? []
      : [[dimMults.length === 1 ? "one resolution" : `${dimMults.length} resolutions`, "--dim-mults"]]),
  ];
  if (choices.length > 0) {
    const words = choices.map(([choice]) => choice).join(", ");
    const names = choices.map(([, flag]) => flag).join(", ");
    say(`chosen by the images: ${words} (${names} ${choices.length === 1 ? "changes" : "change"} that)`);
  }
  return {
    ...settings,
    ...(isFolder && { imageSize: width === height ? width : [height, width], channels }),
    model: { ...model, numClasses, ...(dimMults && { dimMults }) },
    training: { ...training, batchSize },
  };
}

/** Those of a directory, or as many as labels tell where a model is told classes; without labels only a classifier has any. */
function classesOf({ classes, model }: RunSettings, dataset: ImageDataset): RunSettings["model"]["numClasses"] {
  const { labels, classNames } = dataset;
  if ("survey" in dataset) return classes ? (classNames?.length ?? 0) : model.numClasses;
  if (!model.numClasses) return model.numClasses;
  if (labels === undefined) return model.architecture === "unetClassifier" ? model.numClasses : 0;
  return classNames?.length ?? labels.reduce((most, label) => Math.max(most, label + 1), 0);
}

/** As many of a U-Net's resolutions as images can be halved to, if not all. */
function dividing(dimMults: unknown, height: number, width: number): readonly unknown[] | undefined {
  if (!Array.isArray(dimMults)) return undefined;
  const fits = dimMults.filter((_, i) => height % 2 ** i === 0 && width % 2 ** i === 0);
  return fits.length === dimMults.length ? undefined : fits;
}

/** @throws one line that names the flag, if the network cannot halve images of this size as often as it does */
function checkSize({ imageSize, model }: RunSettings, multiple: number): void {
  if (imageSize === undefined) return;
  const cause = "dimMults" in model ? "--dim-mults" : `--model ${model.architecture}`;
  const [height, width] = heightAndWidth(imageSize);
  if (width % multiple === 0 && height % multiple === 0) return;
  const size = width === height ? String(width) : `${width}x${height}`;
  throw new Error(`--image-size: both sides must be divisible by ${multiple} for ${cause}, got ${size}`);
}
