import { ndarray } from "../ndarray.ts";
import { literal } from "../tensor.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Scales images by weights of the two nearest pixels along each side, as PyTorch's `interpolate(mode="bilinear")`: pixels
 * are squares whose centres are half a side in, and what is beyond the edge is as the edge.
 *
 * @param images [batch, height, width, channels]
 * @returns [batch, newHeight, newWidth, channels]
 */
export function resizeBilinear(images: Tensor, newHeight: number, newWidth: number): Tensor {
  const [batch, height, width, channels] = images.shape;
  const rows = literal(bilinearWeights(height, newHeight));
  const columns = literal(bilinearWeights(width, newWidth));
  const tall = rows.matmul(images.reshape([batch, height, width * channels]));
  return columns
    .matmul(tall.reshape([batch * newHeight, width, channels]))
    .reshape([batch, newHeight, newWidth, channels]);
}

/**
 * Means of blocks of `factor` x `factor` pixels.
 *
 * @param images [batch, height, width, channels], both sides divisible by the factor
 * @returns [batch, height / factor, width / factor, channels]
 */
export function meanOfBlocks(images: Tensor, factor: number): Tensor {
  const [batch, height, width, channels] = images.shape;
  return images.reshape([batch, height / factor, factor, width / factor, factor, channels]).mean([2, 4]);
}

/** How much of each old pixel is in each new one, f32 [after, before]. */
function bilinearWeights(before: number, after: number) {
  const weights = new Float32Array(after * before);
  for (let i = 0; i < after; i++) {
    const place = Math.max(0, ((i + 0.5) * before) / after - 0.5);
    const low = Math.min(Math.floor(place), before - 1);
    const high = Math.min(low + 1, before - 1);
    weights[i * before + low] += 1 - (place - low);
    weights[i * before + high] += place - low;
  }
  return ndarray(weights, [after, before]);
}
