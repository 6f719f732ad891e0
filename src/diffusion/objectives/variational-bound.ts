import type { Tensor } from "../../tensor/tensor.ts";
import type { ReverseStep } from "../denoiser.ts";
import { discretizedGaussianLogLikelihood } from "./discretized-gaussian.ts";
import type { DiffusionProcess } from "../diffusion-process.ts";

/** The Kullback-Leibler divergence of one normal distribution from another, KL(p || q) in nats, for every value. */
export function normalKl(p: ReverseStep, q: ReverseStep): Tensor {
  const variances = p.logVariance.subtract(q.logVariance);
  const distance = p.mean.subtract(q.mean).square().multiply(q.logVariance.negate().exp());
  return variances.exp().add(distance).subtract(variances).subtract(1).multiply(0.5);
}

/**
 * The term L_t of the variational bound, equations 4 to 7 of Nichol & Dhariwal (2021, 2102.09672): how far the model's
 * step from x_t is from the posterior of the images, and for t = 0 how unlikely it makes their bytes.
 *
 * @param xStart bytes scaled to [-1, 1], [batch, height, width, channels]
 * @param x `qSample(xStart, t, noise)`
 * @param step `reverseStep` of the model's output for x
 * @returns bits per dimension, [batch]
 */
export function boundTerm(process: DiffusionProcess, xStart: Tensor, x: Tensor, t: Tensor, step: ReverseStep): Tensor {
  const posterior = {
    mean: process.qPosteriorMean(xStart, x, t),
    logVariance: process.extract("posteriorLogVarianceClipped", t, x),
  };
  const likelihood = discretizedGaussianLogLikelihood(xStart, step.mean, step.logVariance.multiply(0.5));
  const isFirst = t.compare("eq", 0).reshape(posterior.logVariance.shape);
  const nats = isFirst.select(likelihood.negate(), normalKl(posterior, step));
  return nats.mean([1, 2, 3]).multiply(1 / Math.LN2);
}
