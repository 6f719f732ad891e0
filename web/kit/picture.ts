import type { Picture } from "unnoise";

/** Draws bytes of 1 or 3 channels, one pixel of the canvas for each of the picture's. */
export function drawPicture(canvas: HTMLCanvasElement, { data, width, height, channels }: Picture): void {
  const pixels = new ImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * at + c] = data[at * channels + Math.min(c, channels - 1)];
    pixels.data[4 * at + 3] = 255;
  }
  // Setting the size clears the canvas, which flickers.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
