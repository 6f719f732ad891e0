import { createRequire } from "node:module";
import { extname } from "node:path";
import type Sharp from "sharp";
import type { Metadata } from "sharp";
import { writeFileAtomic } from "../atomic.node.ts";
import { butItIs, contentKind, isPicture, KIND_BYTES } from "../content-kind.ts";
import { errorLine } from "../file-errors.node.ts";
import { layoutGrid } from "./grid.ts";
import { checkLoading } from "./load-image.ts";
import type { LoadImageOptions } from "./load-image.ts";
import type { GridOptions } from "./grid.ts";
import { checkPictureSize } from "./picture-limits.ts";
import { fromBytes, toBytes } from "./pixels.ts";
import { readStart, withRegularFile } from "../regular-file.node.ts";
import type { ImageBatch, Picture } from "./pixels.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { checkOptions } from "../../config/rules.ts";

export interface DecodeOptions {
  readonly width: number;
  readonly height: number;
  /** 1 for gray, 3 for RGB. */
  readonly channels: number;
  /** What is seen through transparent pixels; default white. */
  readonly background?: "black" | "white" | undefined;
}

const require = createRequire(import.meta.url);

/**
 * sharp is loaded when it is first needed: it takes time, and most commands start without it. It is required, because
 * its module for `import` reads JSON in a way that Node has only since 20.10.
 */
export async function loadSharp(): Promise<typeof Sharp> {
  return require("sharp") as typeof Sharp;
}

/** Formats of pictures that are read, by sharp's names, whatever a file is called. Not drawings, such as SVG or PDF. */
const readable = ["png", "jpeg", "webp", "gif", "tiff", "heif"];

/**
 * Reads a PNG, JPEG, WebP, GIF, TIFF or AVIF file, told by its content, as bytes [height, width, channels]; of an
 * animation the first frame. The image is turned upright as its EXIF orientation says, scaled until it covers width by
 * height, and cut to its centre. Transparency becomes white. Gray is the luma of ITU-R BT.601, as Pillow and
 * torchvision compute it.
 *
 * @throws Error of one line naming the file if it is missing, broken or no such image.
 */
export async function decodeImage(path: string, options: DecodeOptions): Promise<Uint8Array> {
  checkOptions("decodeImage", options, { width: "number", height: "number", channels: "number", background: "string" });
  const { channels } = options;
  if (channels !== 1 && channels !== 3) throw new Error(`decodeImage: channels must be 1 or 3, got ${channels}`);
  return decodeEncoded((await openEncoded(path)).encoded, path, options);
}

/** {@link decodeImage} of a file's content. @param name for messages */
export async function decodeEncoded(
  encoded: Uint8Array,
  name: string,
  { width, height, channels, background = "white" }: DecodeOptions,
): Promise<Uint8Array> {
  const sharp = await loadSharp();
  try {
    const rgb = await sharp(encoded, { failOn: "error", autoOrient: true })
      .resize({ width, height, fit: "cover", position: "centre" })
      .flatten({ background })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer();
    if (rgb.length !== width * height * 3) throw new Error(`internal: ${rgb.length} bytes of pixels`);
    return channels === 3 ? new Uint8Array(rgb) : lumaOf(rgb);
  } catch (error) {
    throw new Error(`${name}: cannot decode this image: ${errorLine(error)}`, { cause: error });
  }
}

/**
 * Reads an image file as a model takes it, see {@link decodeImage}.
 *
 * @example
 * const images = await diffusion.sample(model, { init: await loadImage("shoe.png", { channels: 1 }), strength: 0.6 });
 * @returns f32 [1, height, width, channels] within [-1, 1]
 * @throws Error of one line naming the file if it is missing, broken or no image
 */
export async function loadImage(path: string, options: LoadImageOptions = {}): Promise<NdArray> {
  const { channels, size = await imageSize(path) } = checkLoading(options);
  const bytes = await decodeImage(path, { ...size, channels });
  const data = new Float32Array(bytes.length);
  fromBytes(bytes, data);
  return ndarray(data, [1, size.height, size.width, channels]);
}

/**
 * Height and width of an image as {@link decodeImage} sees it, upright, from the file's header.
 *
 * @throws Error of one line naming the file if it is missing or no image that {@link decodeImage} reads.
 */
export async function imageSize(path: string): Promise<ImageSize> {
  return (await openEncoded(path)).size;
}

/** Side of the small copy whose colours are judged, and how far the channels of a gray pixel may lie apart. */
const PROBE_SIDE = 32;
const GRAY_TOLERANCE = 10;

/**
 * Decodes an image and forgets its pixels: what is said of it then holds to its end.
 *
 * @returns its size, upright, and whether it is in colour, whatever its file could hold
 * @throws Error of one line naming the file if it is missing, broken or no image that {@link decodeImage} reads.
 */
export async function probeImage(path: string): Promise<ProbedImage> {
  return probeEncoded((await openEncoded(path)).encoded, path);
}

/** {@link probeImage} of a file's content. @param name for messages */
export async function probeEncoded(encoded: Uint8Array, name: string): Promise<ProbedImage> {
  const { width, height } = await sizeOf(encoded, name);
  const small = await decodeEncoded(encoded, name, { width: PROBE_SIDE, height: PROBE_SIDE, channels: 3 });
  let isColour = false;
  for (let at = 0; at < small.length && !isColour; at += 3) {
    const [red, green, blue] = small.subarray(at, at + 3);
    isColour = Math.max(red, green, blue) - Math.min(red, green, blue) > GRAY_TOLERANCE;
  }
  return { width, height, isColour };
}

interface ProbedImage extends ImageSize {
  readonly isColour: boolean;
}

interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** A file whose header is that of a readable image. */
async function openEncoded(path: string): Promise<{ readonly encoded: Uint8Array; readonly size: ImageSize }> {
  const encoded = await withRegularFile(path, async (file) => {
    const start = await readStart(file, Math.min(KIND_BYTES, file.bytes));
    checkPicture(start, path);
    return readStart(file, file.bytes);
  });
  return { encoded, size: await sizeOf(encoded, path) };
}

function checkPicture(start: Uint8Array, name: string): void {
  const kind = contentKind(start);
  if (kind !== undefined && !isPicture(kind)) throw new Error(`${name}: not an image${butItIs(start)}`);
}

/** Height and width, upright, from the header of a readable image. */
async function sizeOf(encoded: Uint8Array, name: string): Promise<ImageSize> {
  checkPicture(encoded.subarray(0, KIND_BYTES), name);
  const sharp = await loadSharp();
  let metadata: Metadata;
  try {
    metadata = await sharp(encoded).metadata();
  } catch (error) {
    throw new Error(`${name}: cannot decode this image: ${errorLine(error)}`, { cause: error });
  }
  if (!readable.includes(metadata.format)) {
    throw new Error(`${name}: must be a PNG, JPEG, WebP, GIF, TIFF or AVIF image, got ${metadata.format}`);
  }
  return metadata.autoOrient;
}

function lumaOf(rgb: Uint8Array): Uint8Array {
  const luma = new Uint8Array(rgb.length / 3);
  for (let pixel = 0; pixel < luma.length; pixel++) {
    const [red = 0, green = 0, blue = 0] = rgb.subarray(pixel * 3, pixel * 3 + 3);
    // 0.299, 0.587 and 0.114 in units of 2^-16.
    luma[pixel] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
  return luma;
}

type Format = "png" | "jpeg" | "webp";
const formats: Readonly<Record<string, Format>> = { ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp" };

/** Encodes a picture as PNG, without loss. */
export async function encodePng(picture: Picture): Promise<Uint8Array> {
  return encode(picture, "png");
}

async function encode(picture: Picture, format: Format): Promise<Uint8Array> {
  const { data, width, height, channels } = picture;
  if ((channels !== 1 && channels !== 3) || data.length !== width * height * channels) {
    throw new Error(`picture: ${data.length} bytes are not ${width} x ${height} pixels of 1 or 3 channels`);
  }
  const sharp = await loadSharp();
  const image = sharp(data, { raw: { width, height, channels } });
  // One channel stays one: without this sharp writes gray as RGB.
  if (channels === 1) image.toColourspace("b-w");
  const settings = { png: { compressionLevel: 9 }, jpeg: { quality: 95 }, webp: { lossless: true } };
  return image.toFormat(format, settings[format]).toBuffer();
}

/**
 * Writes a picture as PNG, JPEG or WebP (lossless), chosen by the ending of the name, whole or not at all.
 *
 * @throws Error of one line naming the file.
 */
export async function savePicture(path: string, picture: Picture): Promise<void> {
  const format = formats[extname(path).toLowerCase()];
  if (format === undefined) throw new Error(`${path}: an image's name must end in .png, .jpg, .jpeg or .webp`);
  checkPictureSize(path, extname(path), picture);
  await writeFileAtomic(path, await encode(picture, format));
}

/**
 * Writes a batch of images as one picture, laid out in rows as torchvision's `save_image` does.
 *
 * @param images Floats in [-1, 1], [images, height, width, 1 or 3 channels]; what lies outside is clipped.
 */
export async function saveGrid(
  path: string,
  images: ImageBatch<Float32Array> | NdArray,
  options?: GridOptions,
): Promise<void> {
  const { data, shape } = images;
  if (!(data instanceof Float32Array))
    throw new Error(`${path}: a grid is made of f32 images, got ${data.constructor.name}`);
  await savePicture(path, layoutGrid({ data: toBytes(data), shape }, options));
}
