import { layoutGrid, toBytes } from "unnoise";
import type { GridOptions, NdArray } from "unnoise";

export interface DrawOptions extends Pick<GridOptions, "columns" | "padding"> {
  /** Byte of the padding; without it, the padding is transparent. */
  readonly background?: number | undefined;
}

/**
 * Draws images as a grid, one pixel of the canvas for each of theirs; CSS makes them larger.
 *
 * @param images f32 [count, height, width, 1 or 3 channels] within [-1, 1]; what lies outside is clipped
 */
export function drawImages(canvas: HTMLCanvasElement, images: NdArray, options: DrawOptions = {}): void {
  const { columns = Math.ceil(Math.sqrt(images.shape[0])), padding = 1, background } = options;
  const grid = layoutGrid({ data: toBytes(Float32Array.from(images.data)), shape: images.shape }, { columns, padding });
  const [, height, width] = images.shape;
  const pixels = new ImageData(grid.width, grid.height);
  for (let at = 0; at < grid.width * grid.height; at++) {
    const isPadding =
      (at % grid.width) % (width + padding) < padding || Math.floor(at / grid.width) % (height + padding) < padding;
    for (let c = 0; c < 3; c++) {
      const byte = grid.data[at * grid.channels + Math.min(c, grid.channels - 1)];
      pixels.data[4 * at + c] = isPadding ? (background ?? 0) : byte;
    }
    pixels.data[4 * at + 3] = isPadding && background === undefined ? 0 : 255;
  }
  // Setting the size clears the canvas, which flickers.
  if (canvas.width !== grid.width) canvas.width = grid.width;
  if (canvas.height !== grid.height) canvas.height = grid.height;
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
