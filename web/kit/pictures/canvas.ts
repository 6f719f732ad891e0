import { layoutGrid, toBytes } from "unnoise";
import type { GridOptions, NdArray } from "unnoise";
import { drawPicture } from "./picture.ts";

export type DrawOptions = Pick<GridOptions, "columns" | "padding" | "background">;

/**
 * Draws images as a grid, one pixel of the canvas for each of theirs; CSS makes them larger. The padding is black, as in the stills.
 *
 * @param images f32 [count, height, width, 1 or 3 channels] within [-1, 1]; what lies outside is clipped
 */
export function drawImages(canvas: HTMLCanvasElement, images: NdArray, options: DrawOptions = {}): void {
  const { columns = Math.ceil(Math.sqrt(images.shape[0])), padding = 1, background = 0 } = options;
  const bytes = { data: toBytes(Float32Array.from(images.data)), shape: images.shape };
  drawPicture(canvas, layoutGrid(bytes, { columns, padding, background }));
}
