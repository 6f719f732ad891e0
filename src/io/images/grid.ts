import { enlarge } from "./pixels.ts";
import type { ImageBatch, Picture } from "./pixels.ts";
import { checkOptions } from "../../config/rules.ts";

export interface GridOptions {
  /** Images in a row, 8 by default; fewer where there are fewer images. */
  readonly columns?: number | undefined;
  /** Pixels between images and around the grid, before scaling; 2 by default. */
  readonly padding?: number | undefined;
  /** Every pixel becomes a square of this side; 1 by default. */
  readonly scale?: number | undefined;
  /** Byte of the padding, 0 (black) by default. */
  readonly background?: number | undefined;
}

/** Height and width of the picture that {@link layoutGrid} makes. */
export function gridSize(
  [count, height, width]: readonly number[],
  { columns = 8, padding = 2, scale = 1 }: GridOptions = {},
): { readonly height: number; readonly width: number } {
  const across = Math.min(columns, count);
  return {
    height: scale * (Math.ceil(count / across) * (height + padding) + padding),
    width: scale * (across * (width + padding) + padding),
  };
}

/**
 * Lays out a batch of byte images in rows, as torchvision's `make_grid` does; the last row may be shorter.
 *
 * @param images NHWC with 1 or 3 channels.
 */
export function layoutGrid(images: ImageBatch<Uint8Array>, options: GridOptions = {}): Picture {
  checkOptions("grid", options, { columns: "number", padding: "number", scale: "number", background: "number" });
  const { columns = 8, padding = 2, scale = 1, background = 0 } = options;
  const [count, height, width, channels] = checkBatch(images);
  if (!Number.isInteger(columns) || columns < 1) {
    throw new Error(`grid: columns must be a positive integer, got ${columns}`);
  }
  if (!Number.isInteger(padding) || padding < 0) {
    throw new Error(`grid: padding must be an integer that is not negative, got ${padding}`);
  }
  const across = Math.min(columns, count);
  const { height: gridHeight, width: gridWidth } = gridSize(images.shape, { columns, padding });
  const data = new Uint8Array(gridWidth * gridHeight * channels).fill(background);
  const rowBytes = width * channels;
  for (let row = 0; row < count * height; row++) {
    const image = Math.floor(row / height);
    const x = padding + (image % across) * (width + padding);
    const y = padding + Math.floor(image / across) * (height + padding) + (row % height);
    data.set(images.data.subarray(row * rowBytes, (row + 1) * rowBytes), (y * gridWidth + x) * channels);
  }
  return enlarge({ data, width: gridWidth, height: gridHeight, channels }, scale);
}

function checkBatch({ data, shape }: ImageBatch<Uint8Array>): readonly [number, number, number, number] {
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  if (shape.length !== 4 || count < 1 || (channels !== 1 && channels !== 3)) {
    throw new Error(`grid: images must be [at least 1, height, width, 1 or 3 channels], got [${shape.join(", ")}]`);
  }
  if (data.length !== count * height * width * channels) {
    throw new Error(`grid: images of shape [${shape.join(", ")}] do not have ${data.length} values`);
  }
  return [count, height, width, channels];
}
