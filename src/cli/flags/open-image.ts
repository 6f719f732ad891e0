import { decodeImage, imageSize } from "../../io/images.node.ts";
import { fromBytes } from "../../io/pixels.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

export interface ModelImages {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export const RESIZE_HELP = "scale and cut images of another size than the model's, which are refused without it";

/** An image as a model takes it: [1, height, width, channels] within [-1, 1]. */
export async function openImage(path: string, size: ModelImages, resize: boolean): Promise<NdArray> {
  const { height, width, channels } = size;
  if (!resize) await checkSize(path, size);
  const image = new Float32Array(height * width * channels);
  fromBytes(await decodeImage(path, size), image);
  return ndarray(image, [1, height, width, channels]);
}

/** A mask [1, height, width, 1]: 1 where the image is at least as bright as middle gray, else 0. */
export async function openMask(path: string, size: ModelImages, resize: boolean): Promise<NdArray> {
  const { data, shape } = await openImage(path, { ...size, channels: 1 }, resize);
  return ndarray(
    Float32Array.from(data, (value) => (value > 0 ? 1 : 0)),
    shape,
  );
}

async function checkSize(path: string, { height, width }: ModelImages): Promise<void> {
  const found = await imageSize(path);
  if (found.width === width && found.height === height) return;
  throw new Error(
    `${path}: has ${found.width} x ${found.height} pixels, the model's images ${width} x ${height}; --resize scales and cuts it`,
  );
}
