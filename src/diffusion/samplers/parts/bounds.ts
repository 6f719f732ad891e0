import { quantile } from "../../../tensor/functions/quantile.ts";
import type { Tensor } from "../../../tensor/tensor.ts";

/** How predictions of the clean images are kept within bounds. */
export interface Bounds {
  /** Within [-clipRange, clipRange]; Infinity leaves them as they are. */
  readonly clipRange: number;
  /** Dynamic thresholding instead. */
  readonly thresholding?: { readonly ratio: number; readonly most: number } | undefined;
}

/** As they are. */
export const UNBOUNDED: Bounds = { clipRange: Infinity };

/** @throws one line, if a number is out of its range, or one is there without that which it is for */
export function boundsOf(options: {
  readonly clipRange?: number | undefined;
  readonly thresholdingRatio?: number | undefined;
  readonly thresholdingMax?: number | undefined;
}): Bounds | undefined {
  const { clipRange, thresholdingRatio: ratio, thresholdingMax: most } = options;
  if (clipRange !== undefined && !(clipRange > 0)) {
    throw new Error(`clipRange: must be a number above 0, got ${clipRange}`);
  }
  if (ratio === undefined) {
    if (most !== undefined) throw new Error(`thresholdingMax: is for a thresholdingRatio, got ${most} without`);
    return clipRange === undefined ? undefined : { clipRange };
  }
  if (clipRange !== undefined) throw new Error("thresholdingRatio: is instead of a clipRange, got both");
  if (!(ratio >= 0 && ratio <= 1)) throw new Error(`thresholdingRatio: must be from 0 to 1, got ${ratio}`);
  if (most !== undefined && !(most > 0)) throw new Error(`thresholdingMax: must be a number above 0, got ${most}`);
  return { clipRange: Infinity, thresholding: { ratio, most: most ?? Infinity } };
}

export function sameBounds(a: Bounds, b: Bounds): boolean {
  const [p, q] = [a.thresholding, b.thresholding];
  return a.clipRange === b.clipRange && p?.ratio === q?.ratio && p?.most === q?.most;
}

/** Images [batch, height, width, channels] within bounds. */
export function bounded(images: Tensor, { clipRange, thresholding }: Bounds): Tensor {
  if (!thresholding) return clipRange === Infinity ? images : images.clamp(-clipRange, clipRange);
  const [batch, ...image] = images.shape;
  const size = image.reduce((product, length) => product * length, 1);
  const limit = quantile(images.abs().reshape([batch, size]), thresholding.ratio).maximum(1);
  const limits = (thresholding.most === Infinity ? limit : limit.minimum(thresholding.most)).reshape([batch, 1, 1, 1]);
  return images.minimum(limits).maximum(limits.negate()).divide(limits);
}
