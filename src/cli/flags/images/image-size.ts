import { InvalidArgumentError } from "commander";
import type { ImageSize } from "../../../config/image-size.ts";

/** "48x32" or "32" as the settings have it, height first. */
export function imageSizeFlag(text: string): ImageSize {
  const sides = /^(\d+)(?:x(\d+))?$/i.exec(text.trim());
  const [width, height = width] = sides?.slice(1).flatMap((side) => (side === undefined ? [] : Number(side))) ?? [];
  const isWhole = [width, height].every((side) => Number.isSafeInteger(side) && side > 0);
  if (!isWhole) throw new InvalidArgumentError("It must be a whole number of at least 1, or two of them as in 48x32");
  return width === height ? width : [height, width];
}
