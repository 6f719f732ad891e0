import { decodeImage, probeImage } from "../../io/images.node.ts";
import { fromBytes } from "../../io/pixels.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

export interface ModelImages {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export const RESIZE_HELP =
  "scale and cut images of another size than the model's, or take the gray of those in colour, which are refused without it";

/** An image as a model takes it: [1, height, width, channels] within [-1, 1]. */
export async function openImage(path: string, size: ModelImages, resize: boolean): Promise<NdArray> {
  const { height, width, channels } = size;
  if (!resize) await checkKind(path, size);
  const image = new Float32Array(height * width * channels);
  fromBytes(await decodeImage(path, size), image);
  return ndarray(image, [1, height, width, channels]);
}

/** A mask [1, height, width, 1]: 1 where the image is at least as bright as middle gray, else 0. */
export async function openMask(path: string, size: ModelImages, resize: boolean): Promise<NdArray> {
  // Of any colours: how bright they are is what counts.
  if (!resize) await checkKind(path, { ...size, channels: 3 });
  const { data, shape } = await openImage(path, { ...size, channels: 1 }, true);
  return ndarray(
    Float32Array.from(data, (value) => (value > 0 ? 1 : 0)),
    shape,
  );
}

/** @throws Error of one line if an image has another size than the model's, or is in colour where those are gray */
async function checkKind(path: string, { height, width, channels }: ModelImages): Promise<void> {
  const found = await probeImage(path);
  const isOfSize = found.width === width && found.height === height;
  const losesColour = found.isColour && channels === 1;
  if (isOfSize && !losesColour) return;
  const [colour, gray] = losesColour ? [" in colour", " in gray"] : ["", ""];
  throw new Error(
    `${path}: has ${found.width} x ${found.height} pixels${colour}, the model's images ${width} x ${height}${gray}; --resize scales and cuts it`,
  );
}
