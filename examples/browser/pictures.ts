import { layoutGrid, memoryDataset, toBytes } from "unnoise";
import type { ImageDataset, NdArray } from "unnoise";

/** Draws images [count, height, width, channels] within [-1, 1] as a grid, which is about square unless told. */
export function drawImages(
  canvas: HTMLCanvasElement,
  { data, shape }: NdArray,
  columns = Math.ceil(Math.sqrt(shape[0])),
): void {
  const bytes = toBytes(Float32Array.from(data));
  const grid = layoutGrid({ data: bytes, shape }, { columns, padding: 1, background: 128 });
  const pixels = new ImageData(grid.width, grid.height);
  for (let i = 0; i < grid.width * grid.height; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = grid.data[i * grid.channels + Math.min(c, grid.channels - 1)];
    pixels.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width: grid.width, height: grid.height });
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/** Image files as a dataset of squares: the middle of each, made smaller. */
export async function photoDataset(files: readonly File[], size: number, channels: number): Promise<ImageDataset> {
  const images = new Uint8Array(files.length * size * size * channels);
  for (const [place, file] of files.entries()) {
    const pixels = await squareOf(file, size);
    images.set(channels === 1 ? grayOf(pixels) : colourOf(pixels), place * size * size * channels);
  }
  return memoryDataset({ name: "chosen files", images, shape: [files.length, size, size, channels] });
}

/** RGBA */
async function squareOf(file: File, size: number): Promise<Uint8ClampedArray> {
  const image = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name}: not an image that this browser can read`);
  });
  const side = Math.min(image.width, image.height);
  const context = new OffscreenCanvas(size, size).getContext("2d");
  if (!context) throw new Error("this browser gives no canvas to scale images with");
  context.fillStyle = "white"; // below what is transparent
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, size, size);
  image.close();
  return context.getImageData(0, 0, size, size).data;
}

function colourOf(rgba: Uint8ClampedArray): Uint8ClampedArray {
  return rgba.filter((_, i) => i % 4 !== 3);
}

/** Luma of ITU-R BT.601, as most libraries turn colours to gray. */
function grayOf(rgba: Uint8ClampedArray): Uint8ClampedArray {
  return Uint8ClampedArray.from({ length: rgba.length / 4 }, (_, i) => {
    return 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2];
  });
}
