import { fromBytes, ndarray } from "unnoise";
import type { NdArray } from "unnoise";
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
