import { formatShape } from "../shape.ts";
import { Tensor } from "../tensor.ts";

/** Mean square difference from the mean, over some axes, which become 1. */
export function variance(x: Tensor, axes: readonly number[]): Tensor {
  return new Tensor({ kind: "variance", axes }, [x]);
}

export interface GroupNormOptions {
  readonly groups: number;
  /** [channels] */
  readonly weight: Tensor;
  /** [channels] */
  readonly bias: Tensor;
  readonly epsilon?: number;
}

/**
 * Group normalization (Wu & He 2018, 1803.08494): each image's channels, in `groups` equal groups, get mean
 * 0 and variance 1 over the group's channels and pixels, then `weight` and `bias` per channel.
 *
 * Moments are taken per image and channel and joined into those of the group (Chan et al. 1979), so that
 * the large tensor is read along its channels and the normalization is one multiply-add.
 *
 * @param x [batch, height, width, channels]
 */
export function groupNorm(x: Tensor, { groups, weight, bias, epsilon = 1e-5 }: GroupNormOptions): Tensor {
  const [batch, height, width, channels] = x.shape;
  if (x.rank !== 4)
    throw new Error(`groupNorm: input must be [batch, height, width, channels], got ${formatShape(x.shape)}`);
  if (channels % groups !== 0) {
    throw new Error(`groupNorm: channels must be divisible by groups, got ${channels} and ${groups}`);
  }
  const pixels = height * width;
  const perGroup = channels / groups;
  const grouped = [batch, groups, perGroup];

  // Sums around one of the values keep E[x^2] - E[x]^2 from cancelling when the mean is far from zero.
  const shift = x.slice(1, 0, 1).slice(2, 0, 1).stopGradient();
  const centred = x.subtract(shift);
  const sum = centred.sum([1, 2]).reshape(grouped);
  const squares = centred.square().sum([1, 2]).reshape(grouped);
  const channelMean = sum.multiply(1 / pixels);
  const squaresAroundMean = squares.subtract(sum.multiply(channelMean));
  const mean = channelMean.add(shift.reshape(grouped));
  const groupMean = mean.mean(2, true);
  const spread = mean.subtract(groupMean).square();
  const ofGroup = squaresAroundMean
    .add(spread.multiply(pixels))
    .sum(2, true)
    .multiply(1 / (pixels * perGroup));
  const inverseDeviation = ofGroup.add(epsilon).rsqrt();

  const byGroup = (t: Tensor): Tensor => t.reshape([...t.shape.slice(0, -1), groups, perGroup]);
  const scale = inverseDeviation.multiply(byGroup(weight));
  const offset = byGroup(bias).subtract(groupMean.multiply(scale));
  const overPixels = (t: Tensor): Tensor => t.reshape([batch, 1, 1, channels]);
  return x.multiply(overPixels(scale)).add(overPixels(offset));
}

export interface LayerNormParameters {
  /** [dim] */
  readonly weight?: Tensor | undefined;
  /** [dim] */
  readonly bias?: Tensor | undefined;
  readonly epsilon?: number;
}

/**
 * Layer normalization (Ba et al. 2016, 1607.06450): mean 0 and variance 1 over the last axis, then `weight` and `bias`
 * where given.
 *
 * @param x [..., dim]
 */
export function layerNorm(x: Tensor, { weight, bias, epsilon = 1e-5 }: LayerNormParameters = {}): Tensor {
  const deviation = variance(x, [x.rank - 1])
    .add(epsilon)
    .rsqrt();
  const normalized = x.subtract(x.mean(-1, true)).multiply(deviation);
  const scaled = weight ? normalized.multiply(weight) : normalized;
  return bias ? scaled.add(bias) : scaled;
}
