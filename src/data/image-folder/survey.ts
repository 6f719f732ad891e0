/** What is known of an image. */
export interface SeenImage extends Size {
  /** Whether all of it was decoded; else only its header was read. */
  readonly isDecoded: boolean;
  /** Whether it is in colour, where it was decoded. */
  readonly isColour: boolean;
}

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

/** @param images that can be read, at least one */
export function surveyOf(images: readonly SeenImage[]): Survey {
  const byArea = images.toSorted((a, b) => a.width * a.height - b.width * b.height);
  const sides = images.map(({ width, height }) => Math.min(width, height)).toSorted((a, b) => a - b);
  const decoded = images.filter(({ isDecoded }) => isDecoded);
  return {
    smallest: sizeOf(byArea[0]),
    largest: sizeOf(byArea[byArea.length - 1]),
    medianSide: sides[Math.floor(sides.length / 2)],
    isColour: decoded.filter(({ isColour }) => isColour).length > FEW * decoded.length,
  };
}

/** A size up to which images keep theirs, and one for all others. */
const OWN_SIZE = 64;
const USUAL_SIZE = 32;

/**
 * A size to train at: that of the images, if they all have the same and it is small enough, else a square no larger than
 * most of them are.
 *
 * @param multiple that both sides are divisible by, as a network asks for that halves images
 */
export function chooseSize({ smallest, largest, medianSide }: Survey, multiple: number): Size {
  const most = Math.max(largest.width, largest.height) <= OWN_SIZE ? OWN_SIZE : USUAL_SIZE;
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
