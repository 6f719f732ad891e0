import { allocate } from "../tensor/dtype.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { formatShape } from "../tensor/shape.ts";

/** Images as PyTorch holds them, [batch, channels, height, width], to ours, [batch, height, width, channels]. */
export function nchwToNhwc(images: NdArray): NdArray {
  const [batch, channels, height, width] = sides("nchwToNhwc", images);
  const swapped = swapInner(images, batch, channels, height * width);
  return { ...swapped, shape: [batch, height, width, channels] };
}

/** Our images, [batch, height, width, channels], to PyTorch's, [batch, channels, height, width]. */
export function nhwcToNchw(images: NdArray): NdArray {
  const [batch, height, width, channels] = sides("nhwcToNchw", images);
  const swapped = swapInner(images, batch, height * width, channels);
  return { ...swapped, shape: [batch, channels, height, width] };
}

function sides(name: string, { shape }: NdArray): readonly number[] {
  if (shape.length !== 4) throw new Error(`${name}: images must have rank 4, got ${formatShape(shape)}`);
  return shape;
}

/** Turns each of `batch` matrices [rows, columns] over. */
function swapInner(array: NdArray, batch: number, rows: number, columns: number): NdArray {
  const data = allocate(array.dtype, array.data.length);
  for (let n = 0; n < batch; n++) {
    const start = n * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        data[start + column * rows + row] = array.data[start + row * columns + column];
      }
    }
  }
  return { ...array, data };
}
