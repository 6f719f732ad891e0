import type { Picture } from "unnoise";

/** Gives a canvas its size in pixels, unless it has it: setting it clears what was drawn, which flickers. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** Draws bytes of 1 or 3 channels, one pixel of the canvas for each of the picture's. */
export function drawPicture(canvas: HTMLCanvasElement, { data, width, height, channels }: Picture): void {
  const pixels = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * at + c] = data[at * channels + Math.min(c, channels - 1)];
    pixels.data[4 * at + 3] = 255;
  }
  fitCanvas(canvas, width, height);
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/**
 * Draws gray pictures as a grid, a black pixel around each.
 *
 * @param levels bytes of pictures of side x side, one after the other
 */
export function drawGrays(canvas: HTMLCanvasElement, levels: Uint8Array, side: number, columns: number): void {
  const rows = Math.ceil(levels.length / side ** 2 / columns);
  const [width, height] = [columns * (side + 1) + 1, rows * (side + 1) + 1];
  const data = new Uint8Array(width * height);
  for (let at = 0; at < levels.length; at += side) {
    const [picture, y] = [Math.floor(at / side ** 2), Math.floor(at / side) % side];
    const [row, column] = [Math.floor(picture / columns), picture % columns];
    const place = (row * (side + 1) + 1 + y) * width + column * (side + 1) + 1;
    data.set(levels.subarray(at, at + side), place);
  }
  drawPicture(canvas, { data, width, height, channels: 1 });
}
