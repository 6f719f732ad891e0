import type { SpatialPadding } from "../op.ts";
import { formatShape, normalizeAxis } from "../shape.ts";
import { Tensor, iota } from "../tensor.ts";

/** x * sigmoid(x) */
export function silu(x: Tensor): Tensor {
  return x.multiply(x.sigmoid());
}

/** The exact GELU, x * Phi(x) with the normal distribution function Phi (Hendrycks & Gimpel 2016). */
export function gelu(x: Tensor): Tensor {
  return x.multiply(x.multiply(Math.SQRT1_2).erf().add(1)).multiply(0.5);
}

/**
 * The approximation of GELU by tanh (Hendrycks & Gimpel 2016), x (1 + tanh(u)) / 2 with
 * u = sqrt(2 / pi) (x + 0.044715 x^3). As (1 + tanh(u)) / 2 = sigmoid(2 u), it is written with the latter.
 */
export function geluTanh(x: Tensor): Tensor {
  const cubic = x.square().multiply(0.044715).add(1).multiply(x);
  return x.multiply(cubic.multiply(2 * Math.sqrt(2 / Math.PI)).sigmoid());
}

/** exp(x) normalised to sum to 1 along an axis; the maximum is subtracted first. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return new Tensor({ kind: "softmax", axis: normalizeAxis("softmax", axis, x.rank) }, [x]);
}

/** log(softmax(x)), without the overflow of taking them one after the other. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const at = normalizeAxis("logSoftmax", axis, x.rank);
  const centred = x.subtract(x.max(at, true).stopGradient());
  return centred.subtract(centred.exp().sum(at, true).log());
}

export type Conv2dPadding = number | readonly [vertical: number, horizontal: number] | SpatialPadding;

export interface Conv2dOptions {
  readonly stride?: number;
  /** Zeros on every side, in pixels; or above and below, and left and right; or on each side by itself. */
  readonly padding?: Conv2dPadding;
}

/**
 * Cross-correlation of images with filters.
 *
 * @param x [batch, height, width, in channels]
 * @param weight [kernel height, kernel width, in channels, out channels]
 * @returns [batch, out height, out width, out channels]
 */
export function conv2d(x: Tensor, weight: Tensor, { stride = 1, padding = 0 }: Conv2dOptions = {}): Tensor {
  const [vertical, horizontal] = typeof padding === "number" ? [padding, padding] : padding;
  const both = (side: number | readonly [number, number]) =>
    typeof side === "number" ? ([side, side] as const) : side;
  const sides: SpatialPadding = [both(vertical), both(horizontal)];
  return new Tensor(
    { kind: "convolution", strides: [stride, stride], padding: sides, lhsDilation: [1, 1], rhsDilation: [1, 1] },
    [x, weight],
  );
}

/** Repeats every pixel of [batch, height, width, channels] `factor` times along both sides. */
export function upsampleNearest(x: Tensor, factor = 2): Tensor {
  const [batch, height, width, channels] = x.shape;
  return x
    .reshape([batch, height, 1, width, 1, channels])
    .broadcastTo([batch, height, factor, width, factor, channels])
    .reshape([batch, height * factor, width * factor, channels]);
}

/** The mean of each block of `factor` x `factor` pixels of [batch, height, width, channels]; `factor` must divide both. */
export function averagePool(x: Tensor, factor = 2): Tensor {
  const [batch, height, width, channels] = x.shape;
  if (height % factor !== 0 || width % factor !== 0) {
    throw new Error(`averagePool: height and width must be divisible by ${factor}, got ${height} x ${width}`);
  }
  return x.reshape([batch, height / factor, factor, width / factor, factor, channels]).mean([2, 4]);
}

/** Mean absolute error. */
export function l1Loss(prediction: Tensor, target: Tensor): Tensor {
  return prediction.subtract(target).abs().mean();
}

/** Mean squared error. */
export function mseLoss(prediction: Tensor, target: Tensor): Tensor {
  return prediction.subtract(target).square().mean();
}

/** Mean of d^2 / 2 where |d| < 1 and |d| - 1/2 elsewhere: PyTorch's smooth_l1_loss with beta = 1. */
export function huberLoss(prediction: Tensor, target: Tensor): Tensor {
  return huber(prediction.subtract(target)).mean();
}

/**
 * Mean of -log p(label), as PyTorch's cross_entropy.
 *
 * @param logits [batch, classes]
 * @param labels i32 [batch], classes from 0
 */
export function crossEntropyLoss(logits: Tensor, labels: Tensor): Tensor {
  const [batch, classes] = logits.shape;
  if (logits.rank !== 2 || labels.rank !== 1 || labels.shape[0] !== batch || labels.dtype !== "i32") {
    throw new Error(
      "crossEntropyLoss: logits must be [batch, classes] and labels i32 [batch], " +
        `got ${formatShape(logits.shape)} and ${labels.dtype} ${formatShape(labels.shape)}`,
    );
  }
  const isLabel = labels.reshape([batch, 1]).compare("eq", iota([batch, classes], 1));
  return isLabel
    .select(logSoftmax(logits), 0)
    .sum()
    .multiply(-1 / batch);
}

/** Huber's function of each difference; below 1 it is quadratic. */
export function huber(difference: Tensor): Tensor {
  const size = difference.abs();
  // With m = min(|d|, 1): m (|d| - m/2) is d^2/2 inside and |d| - 1/2 outside.
  const inner = size.minimum(1);
  return inner.multiply(size.subtract(inner.multiply(0.5)));
}
