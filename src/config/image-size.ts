import * as z from "zod/mini";
import { shown, wholeNumber } from "./rules.ts";

/** Height and width of images, or both at once; as everywhere else the height comes first. */
export type ImageSize = number | readonly [height: number, width: number];

export const imageSizeRule: z.ZodMiniType<ImageSize, ImageSize> = z.union(
  [wholeNumber(1), z.readonly(z.tuple([wholeNumber(1), wholeNumber(1)]))],
  { error: ({ input }) => `must be one side in pixels or [height, width], got ${shown(input)}` },
);

/** [height, width] */
export function heightAndWidth(size: ImageSize): readonly [height: number, width: number] {
  return typeof size === "number" ? [size, size] : size;
}
