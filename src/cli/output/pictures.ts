import { saveAnimation } from "../../io/animation.node.ts";
import { layoutGrid } from "../../io/grid.ts";
import { saveGrid } from "../../io/images.node.ts";
import { toBytes } from "../../io/pixels.ts";
import type { Picture } from "../../io/pixels.ts";
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
  await saveGrid(path, images, completed(images, layout));
}

/** Writes what `animationSteps` asked for as an animation of grids. */
export async function writeAnimation(path: string, frames: readonly NdArray[], layout: GridLayout = {}): Promise<void> {
  const pictures = frames.map((images): Picture => {
    return layoutGrid({ data: toBytes(floats(images)), shape: images.shape }, completed(images, layout));
  });
  const delayMs = Math.max(40, Math.round((ANIMATION_SECONDS * 1000) / frames.length));
  await saveAnimation(path, pictures, { delayMs });
}

/** The steps out of a sampling run that an animation shows, from the noise at 0 to the last. */
export function animationSteps(steps: number): number[] {
  const frames = Math.min(steps, MOST_FRAMES);
  return Array.from({ length: frames + 1 }, (_, frame) => Math.round((frame * steps) / frames));
}

function completed({ shape }: NdArray, { columns, scale, padding = 2 }: GridLayout): GridLayout {
  const [count, height, width] = shape;
  const across = Math.min(count, columns ?? Math.ceil(Math.sqrt(count)));
  const longSide = Math.max(across * (width + padding), Math.ceil(count / across) * (height + padding));
  const fitting = Math.min(PICTURE_PIXELS / longSide, IMAGE_PIXELS / Math.max(height, width));
  return { columns: across, scale: scale ?? Math.max(1, Math.floor(fitting)), padding };
}

function floats({ data }: NdArray): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error("internal: images must be f32");
}
