import { extname } from "node:path";
import { saveAnimation } from "../../io/images/animation.node.ts";
import { gridSize, layoutGrid } from "../../io/images/grid.ts";
import { saveGrid } from "../../io/images/images.node.ts";
import { checkPictureSize } from "../../io/images/picture-limits.ts";
import { toBytes } from "../../io/images/pixels.ts";
import type { Picture } from "../../io/images/pixels.ts";
import type { NdArray } from "../../tensor/ndarray.ts";

/** Seconds of a denoising animation, without the pause at its end. */
const ANIMATION_SECONDS = 3;
const MOST_FRAMES = 50;
/** What small images are enlarged to at most: the whole picture, and one image of it. */
const PICTURE_PIXELS = 640;
const IMAGE_PIXELS = 128;

export interface GridLayout {
  readonly columns?: number | undefined;
  /** Every pixel becomes a square of this side. */
  readonly scale?: number | undefined;
  /** Pixels between images and around the grid, before scaling. */
  readonly padding?: number | undefined;
}

/** Writes images as one picture, about square if no columns are given, and small ones enlarged. */
export async function writeGrid(path: string, images: NdArray, layout: GridLayout = {}): Promise<void> {
  checkFinite(path, images);
  await saveGrid(path, images, completed(images.shape, layout));
}

/** @throws Error of one line if a grid of images [count, height, width, ...] is too large for its format */
export function checkGridSize(path: string, shape: readonly number[], layout: GridLayout = {}, frames?: number): void {
  checkPictureSize(path, extname(path), { ...gridSize(shape, completed(shape, layout)), ...(frames && { frames }) });
}

/** Writes what `animationSteps` asked for as an animation of grids. */
export async function writeAnimation(path: string, frames: readonly NdArray[], layout: GridLayout = {}): Promise<void> {
  const pictures = frames.map((images): Picture => {
    checkFinite(path, images);
    return layoutGrid({ data: toBytes(floats(images)), shape: images.shape }, completed(images.shape, layout));
  });
  const delayMs = Math.max(40, Math.round((ANIMATION_SECONDS * 1000) / frames.length));
  await saveAnimation(path, pictures, { delayMs });
}

/** The steps out of a sampling run that an animation shows, from the noise at 0 to the last. */
export function animationSteps(steps: number): number[] {
  const frames = Math.min(steps, MOST_FRAMES);
  return Array.from({ length: frames + 1 }, (_, frame) => Math.round((frame * steps) / frames));
}

function completed([count, height, width]: readonly number[], { columns, scale, padding = 2 }: GridLayout): GridLayout {
  const across = Math.min(count, columns ?? Math.ceil(Math.sqrt(count)));
  const longSide = Math.max(across * (width + padding), Math.ceil(count / across) * (height + padding));
  const fitting = Math.min(PICTURE_PIXELS / longSide, IMAGE_PIXELS / Math.max(height, width));
  return { columns: across, scale: scale ?? Math.max(1, Math.floor(fitting)), padding };
}

/** A model that answers NaN would otherwise be seen to draw black. */
function checkFinite(path: string, images: NdArray): void {
  const wrong = floats(images).find((value) => !Number.isFinite(value));
  if (wrong === undefined) return;
  throw new Error(`${path}: not written, since the images have pixels that are ${wrong}: is the model damaged?`);
}

function floats({ data }: NdArray): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error("internal: images must be f32");
}
