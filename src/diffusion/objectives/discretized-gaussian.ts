import type { Tensor } from "../../tensor/tensor.ts";

/** Half the distance between two values of a byte that is scaled to [-1, 1]. */
const HALF_BIN = 1 / 255;
/** Below it 1 + erf loses its digits in float32, and above it the bound on the tail is not tight. */
const TAIL = -3.5;

/**
 * The probability of bytes under a normal distribution that is cut into their 256 bins, of which the first and the last
 * are open: p(x_0 | x_1) of Ho et al. (2020, 2006.11239), equation 13.
 *
 * @param x bytes scaled to [-1, 1]
 * @param mean shaped as x
 * @param logDeviation logarithm of the deviation, broadcasts to x
 * @returns logarithms (nats), shaped as x
 */
export function discretizedGaussianLogLikelihood(x: Tensor, mean: Tensor, logDeviation: Tensor): Tensor {
  const perDeviation = logDeviation.negate().exp();
  const distance = x.subtract(mean);
  const below = distance.subtract(HALF_BIN).multiply(perDeviation);
  const above = distance.add(HALF_BIN).multiply(perDeviation);
  // A bin above the mean has the probability of its mirror image, and that keeps its digits.
  const isLow = distance.compare("lt", 0);
  const upper = logNormalDistribution(isLow.select(above, below.negate()));
  const lower = logNormalDistribution(isLow.select(below, above.negate()));
  const inside = upper.add(lower.subtract(upper).exp().negate().add(1).maximum(1e-12).log());
  const isFirst = x.compare("lt", HALF_BIN - 1);
  const isLast = x.compare("gt", 1 - HALF_BIN);
  const open = logNormalDistribution(isFirst.select(above, below.negate()));
  return isFirst.or(isLast).select(open, inside);
}

/**
 * log Phi(z) of the normal distribution function Phi, to 4e-4, with a gradient everywhere. The tail is that of Sampford
 * (1953, "Some inequalities on Mill's ratio and related functions"): phi(z) 4 / (sqrt(z^2 + 8) - 3 z).
 */
export function logNormalDistribution(z: Tensor): Tensor {
  const body = z.maximum(TAIL).multiply(Math.SQRT1_2).erf().add(1).multiply(0.5).log();
  const far = z.minimum(TAIL);
  const ratio = far.square().add(8).sqrt().subtract(far.multiply(3));
  const tail = far
    .square()
    .multiply(-0.5)
    .subtract(ratio.log())
    .add(Math.log(4 / Math.sqrt(2 * Math.PI)));
  return z.compare("lt", TAIL).select(tail, body);
}
