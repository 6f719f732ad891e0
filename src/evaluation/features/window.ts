import { ndarray } from "../../tensor/ndarray.ts";
import { full, literal } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Below every number that a network makes. */
const LOWEST = -3e38;
const SIDE = 3;

/** The largest value of every 3x3 window of [batch, height, width, channels]. */
export function maxPool3x3(x: Tensor, { stride = 1, padding = 0 } = {}): Tensor {
  return overWindows(padded(x, padding, LOWEST), stride, (a, b) => a.maximum(b));
}

/** The mean of every 3x3 window around a pixel; at the border of those pixels that there are. */
export function avgPool3x3(x: Tensor): Tensor {
  const sum = (of: Tensor): Tensor => overWindows(padded(of, 1, 0), 1, (a, b) => a.add(b));
  const [, height, width] = x.shape;
  return sum(x).divide(sum(full([1, height, width, 1], 1)));
}

/**
 * Images scaled to another size by linear interpolation between pixel centres, as PyTorch's interpolate with
 * `mode="bilinear", align_corners=False`: without smoothing before.
 */
export function resizeBilinear(x: Tensor, height: number, width: number): Tensor {
  const [batch, rows, columns, channels] = x.shape;
  // [height, rows] [batch, rows, columns channels], then the same across.
  const down = interpolation(rows, height).matmul(x.reshape([batch, rows, columns * channels]));
  const across = interpolation(columns, width).matmul(down.reshape([batch * height, columns, channels]));
  return across.reshape([batch, height, width, channels]);
}

/** The matrix [to, from] of one axis. */
function interpolation(from: number, to: number): Tensor {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(at), from - 1);
    weights[i * from + low] += 1 - (at - low);
    weights[i * from + Math.min(low + 1, from - 1)] += at - low;
  }
  return literal(ndarray(weights, [to, from]));
}

function padded(x: Tensor, padding: number, value: number): Tensor {
  const around = [padding, padding] as const;
  return x.pad([[0, 0], around, around, [0, 0]], value);
}

/** Combines the nine places of a window: slices of the whole image, shifted against each other. */
function overWindows(x: Tensor, stride: number, combine: (a: Tensor, b: Tensor) => Tensor): Tensor {
  const along = (of: Tensor, axis: number): Tensor => {
    const last = Math.floor((of.shape[axis] - SIDE) / stride) * stride;
    const places = [0, 1, 2].map((offset) => of.slice(axis, offset, offset + last + 1, stride));
    return places.reduce(combine);
  };
  return along(along(x, 1), 2);
}
