import { decodeImage, loadImage, probeImage } from "../../../io/images/images.node.ts";
import { ndarray } from "../../../tensor/ndarray.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";

export interface ModelImages {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export const RESIZE_HELP =
  "scale and cut images of another size than the model's, or take the gray of those in colour, which are refused without it";

/** An image as a model takes it: [1, height, width, channels] within [-1, 1]. */
export async function openImage(path: string, size: ModelImages, resize: boolean): Promise<NdArray> {
  if (!resize) await checkKind(path, size);
  const { height, width, channels } = size;
  return loadImage(path, { height, width, channels });
}

/** Bytes of a mask that are as good as black or white, as after a photograph's compression. */
const NEARLY = 25;

/**
 * A mask [1, height, width, 1]: 1 where the image is at least as bright as middle gray, as a viewer shows it on black, else
 * 0. So what is transparent is kept.
 *
 * @param say is told what is seldom meant: that all or nothing is painted, or that there are grays
 */
export async function openMask(
  path: string,
  size: ModelImages,
  resize: boolean,
  say: (line: string) => void,
): Promise<NdArray> {
  const { height, width } = size;
  // Of any colours: how bright they are is what counts.
  if (!resize) await checkKind(path, { ...size, channels: 3 });
  const bytes = await decodeImage(path, { height, width, channels: 1, background: "black" });
  const painted = bytes.reduce((count, byte) => count + Number(byte >= 128), 0);
  const grays = bytes.reduce((count, byte) => count + Number(byte > NEARLY && byte < 255 - NEARLY), 0);
  if (painted === 0) say(`${path}: paints nothing: the mask has no white that is not transparent`);
  if (painted === bytes.length) say(`${path}: paints all of the image: the mask has no black and nothing transparent`);
  if (grays > 0) {
    const share = Math.max(1, Math.round((100 * grays) / bytes.length));
    say(`${path}: ${share} % of the mask is gray; what is brighter than middle gray is painted`);
  }
  return ndarray(
    Float32Array.from(bytes, (byte) => (byte >= 128 ? 1 : 0)),
    [1, height, width, 1],
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
