import { fromBytes, ndarray } from "unnoise";
import type { NdArray } from "unnoise";
import type { PictureSource } from "./code.ts";
import { garmentOf } from "./garments.ts";

/** The picture of a source, [1, height, width, channels] within [-1, 1]. @param garments bytes of the page's garments */
export function pictureOf(source: PictureSource, garments: Uint8Array): NdArray {
  return "garment" in source ? garmentOf(garments, source.garment) : ndarray(fromBytes(source.bytes), source.shape);
}
