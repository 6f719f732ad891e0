import type { CheckedFile } from "./check.node.ts";

/** What images have in common. */
export interface Survey {
  /** Width and height of the smallest and the largest, by their area. */
  readonly smallest: Size;
  readonly largest: Size;
  /** The middle one of the shorter sides. */
  readonly medianSide: number;
  /** Whether more than a few are in colour. */
  readonly isColour: boolean;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Images in colour, of those that were decoded, that make it worth to train in colour. */
const FEW = 0.02;

/** @param files of images that can be read, at least one */
export function surveyOf(files: readonly CheckedFile[]): Survey {
  const byArea = files.toSorted((a, b) => a.width * a.height - b.width * b.height);
  const sides = files.map(({ width, height }) => Math.min(width, height)).toSorted((a, b) => a - b);
  const decoded = files.filter(({ isDecoded }) => isDecoded);
  return {
    smallest: sizeOf(byArea[0]),
    largest: sizeOf(byArea[byArea.length - 1]),
    medianSide: sides[Math.floor(sides.length / 2)],
    isColour: decoded.filter(({ isColour }) => isColour).length > FEW * decoded.length,
  };
}

/**
 * A size to train at: that of the images, if they all have the same and it is small enough, else a square no larger than
 * most of them are.
 *
 * @param most pixels of a side
 * @param multiple that both sides are divisible by, as a network asks for that halves images
 */
export function chooseSize({ smallest, largest, medianSide }: Survey, most: number, multiple: number): Size {
  const { width, height } = largest;
  const isSame = smallest.width === width && smallest.height === height;
  const fits = (side: number): boolean => side <= most && side % multiple === 0;
  if (isSame && fits(width) && fits(height)) return { width, height };
  const side = Math.max(Math.floor(Math.min(medianSide, most) / multiple), 1) * multiple;
  return { width: side, height: side };
}

function sizeOf({ width, height }: Size): Size {
  return { width, height };
}
