import { heightAndWidth } from "../../../config/image-size.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import type { RunSettings } from "../../runs/run-settings.ts";
import type { FlagValues } from "./flags.ts";

/** What a network that halves images n times asks of their sides: to be divisible by 2^n. */
export function sizeMultiple({ model }: RunSettings): number {
  const { dimMults } = model;
  return Array.isArray(dimMults) ? 2 ** (dimMults.length - 1) : 8;
}

/**
 * The settings of a run on these data: what they leave open, the size, the channels and the classes of a directory's
 * images, is taken from them. A line says what was chosen and which flag changes it.
 */
export function fitToData(
  settings: RunSettings,
  dataset: ImageDataset,
  flags: FlagValues,
  say: (line: string) => void,
): RunSettings {
  if (!("survey" in dataset)) return settings;
  const { height, width, channels, classNames = [], length } = dataset;
  checkSize(settings, sizeMultiple(settings));
  const { model, training } = settings;
  const numClasses = flags.numClasses === undefined && settings.classes ? classNames.length : model.numClasses;
  // A batch has no image twice.
  const batchSize = flags.batchSize === undefined ? Math.min(training.batchSize, length) : training.batchSize;
  const choices = [
    ...(settings.imageSize === undefined ? [[`${width} x ${height} pixels`, "--image-size"]] : []),
    ...(settings.channels === undefined ? [[channels === 1 ? "in gray" : "in colour", "--channels"]] : []),
    ...(numClasses === model.numClasses ? [] : [[`${numClasses || "no"} classes`, "--no-classes"]]),
    ...(batchSize === training.batchSize ? [] : [[`batches of ${batchSize}`, "--batch-size"]]),
  ];
  if (choices.length > 0) {
    const words = choices.map(([choice]) => choice).join(", ");
    const names = choices.map(([, flag]) => flag).join(", ");
    say(`chosen by the images: ${words} (${names} ${choices.length === 1 ? "changes" : "change"} that)`);
  }
  return {
    ...settings,
    imageSize: width === height ? width : [height, width],
    channels,
    model: { ...model, numClasses },
    training: { ...training, batchSize },
  };
}

/** @throws one line that names the flag, if the network cannot halve images of this size as often as it does */
function checkSize({ imageSize }: RunSettings, multiple: number): void {
  if (imageSize === undefined) return;
  const [height, width] = heightAndWidth(imageSize);
  if (width % multiple === 0 && height % multiple === 0) return;
  const size = width === height ? String(width) : `${width}x${height}`;
  throw new Error(`--image-size: both sides must be divisible by ${multiple} for --dim-mults, got ${size}`);
}
