import { fromBytes, ndarray } from "unnoise";
import type { NdArray } from "unnoise";
import { oneOf } from "../../../kit/link.ts";
import type { Kind } from "../../../kit/link.ts";
import type { PictureSource } from "./code.ts";
import { SIDE } from "./garment-sizes.ts";

/** One garment of many, f32 [1, 28, 28, 1] within [-1, 1]. */
export function garmentOf(bytes: Uint8Array, index: number): NdArray {
  return ndarray(fromBytes(bytes.subarray(index * SIDE ** 2, (index + 1) * SIDE ** 2)), [1, SIDE, SIDE, 1]);
}

/** One garment of each class among those that the page has, in the order of the classes: the number of the image. */
export const ONE_OF_EACH = [
  { index: 19, name: "T-shirt" },
  { index: 2, name: "trousers" },
  { index: 1, name: "pullover" },
  { index: 13, name: "dress" },
  { index: 6, name: "coat" },
  { index: 8, name: "sandal" },
  { index: 4, name: "shirt" },
  { index: 9, name: "sneaker" },
  { index: 18, name: "bag" },
  { index: 0, name: "ankle boot" },
] as const;

/** In links, the numbers of their images. */
export const garmentKind: Kind<number> = oneOf(ONE_OF_EACH.map(({ index }) => index));

/** A picture of the reader's own is in no link. */
export const garmentSource: Kind<PictureSource> = {
  read: (text) => {
    const garment = garmentKind.read(text);
    return garment === undefined ? undefined : { garment };
  },
  write: (source) => ("garment" in source ? garmentKind.write(source.garment) : undefined),
};
