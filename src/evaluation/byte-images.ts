import { toBytes } from "../io/images/pixels.ts";
import type { ImageBatch } from "../io/images/pixels.ts";
import type { NdArray } from "../tensor/ndarray.ts";

/** f32 in [-1, 1] as a sampler returns them, or bytes; [images, height, width, channels]. */
export type Images = NdArray | ImageBatch<Uint8Array>;

/**
 * Images as bytes. What is compared with a dataset is rounded as the dataset is: as if it had been written to a file
 * (Parmar et al. 2022, 2104.11222).
 */
export function byteImages({ data, shape }: Images): ImageBatch<Uint8Array> {
  if (shape.length !== 4) {
    throw new Error(`images must be [images, height, width, channels], got [${shape.join(", ")}]`);
  }
  if (data instanceof Uint8Array) return { data, shape };
  if (data instanceof Float32Array) {
    // Rounded to bytes, NaN would be black, and be measured as if it had been drawn.
    const wrong = data.find((value) => !Number.isFinite(value));
    if (wrong !== undefined) throw new Error(`images must be finite numbers, got ${wrong}: is the model damaged?`);
    return { data: toBytes(data), shape };
  }
  throw new Error(`images must be f32 in [-1, 1] or bytes, got ${data.constructor.name}`);
}

/** Images `start` to `end` of a batch, without a copy. */
export function sliceImages(
  { data, shape }: ImageBatch<Uint8Array>,
  start: number,
  end: number,
): ImageBatch<Uint8Array> {
  const [, ...image] = shape;
  const size = image.reduce((product, n) => product * n, 1);
  return { data: data.subarray(start * size, end * size), shape: [end - start, ...image] };
}
