import type { ImageDataset } from "../../../data/dataset.ts";

/**
 * A class for each sample, in the proportions of the dataset, or equally many of each where that has no labels; undefined
 * for a model without classes.
 */
export function classesToDraw(
  { labels, name }: Pick<ImageDataset, "labels" | "name">,
  numClasses: number,
  number: number,
): number[] | undefined {
  if (numClasses === 0) return undefined;
  const sorted = labels?.toSorted() ?? Array.from({ length: numClasses }, (_, i) => i);
  const classes = Array.from({ length: number }, (_, i) => sorted[Math.floor(((i + 0.5) * sorted.length) / number)]);
  const largest = Math.max(...classes);
  if (largest < numClasses) return classes;
  throw new Error(`the model draws ${numClasses} classes, ${name} has a label ${largest}`);
}
