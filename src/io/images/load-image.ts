import { checkOptions } from "../../config/rules.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { fromBytes } from "./pixels.ts";

export interface LoadImageOptions {
  /** The image's own by default; both or none. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** 3 for RGB, the default, or 1 for gray. */
  readonly channels?: number | undefined;
}

/** {@link LoadImageOptions}, checked; without a size where none was asked for. */
export function checkLoading(options: LoadImageOptions): {
  readonly channels: 1 | 3;
  readonly size?: { readonly width: number; readonly height: number };
} {
  checkOptions("loadImage", options, { width: "number", height: "number", channels: "number" });
  const { width, height, channels = 3 } = options;
  if (channels !== 1 && channels !== 3) throw new Error(`loadImage: channels must be 1 or 3, got ${channels}`);
  if ((width === undefined) !== (height === undefined)) {
    throw new Error("loadImage: takes both width and height or none");
  }
  return { channels, ...(width !== undefined && height !== undefined && { size: { width, height } }) };
}

/**
 * Reads an image file in a page as a model takes it: turned upright, scaled until it covers width by height, and cut to its
 * centre. Transparency becomes white. In Node it takes a path instead, and reads the same.
 *
 * @param source a file that the visitor chose, or an address
 * @example
 * const images = await diffusion.sample(model, { init: await loadImage(input.files[0], { channels: 1 }), strength: 0.6 });
 * @returns f32 [1, height, width, channels] within [-1, 1]
 * @throws Error of one line naming the file if it is missing or no image that the browser reads
 */
export async function loadImage(source: Blob | string | URL, options: LoadImageOptions = {}): Promise<NdArray> {
  const { channels, size } = checkLoading(options);
  const { decodeInPage } = await import("./decode.browser.ts");
  const { rgba, width, height } = await decodeInPage(source, size);
  const bytes = channels === 3 ? rgba.filter((_, i) => i % 4 !== 3) : lumaOf(rgba);
  return ndarray(fromBytes(Uint8Array.from(bytes)), [1, height, width, channels]);
}

/** Luma of ITU-R BT.601, as most libraries turn colours to gray. */
function lumaOf(rgba: Uint8ClampedArray): Uint8ClampedArray {
  return Uint8ClampedArray.from({ length: rgba.length / 4 }, (_, i) => {
    return 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
  });
}
