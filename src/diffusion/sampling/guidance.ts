import type { Tensor } from "../../tensor/tensor.ts";
import type { NoisyClassifier } from "./classifier.ts";
import { hasSignal } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";

export interface GuidanceOptions {
  /**
   * Classifier-free guidance (Ho & Salimans 2022, 2207.12598): how far to go from the prediction without conditions, 0,
   * through that with them, 1, beyond it. It is the paper's 1 + w. Where it is given there is a second evaluation, also with
   * 1, so that another scale needs no other program; without it there is none.
   */
  readonly condScale?: number | undefined;
  /**
   * Share of a guided prediction that gets back the deviation of the one with conditions, 0 (the default) to 1: against
   * the glare of large scales (Lin et al. 2023, 2305.08891, section 3.4, which finds 0.7 best).
   */
  readonly rescaledPhi?: number | undefined;
  /**
   * Guides towards `classes` by the gradient of a classifier of noisy images (Dhariwal & Nichol 2021, 2105.05233); works
   * for models without classes, and beside classifier-free guidance.
   */
  readonly classifier?: NoisyClassifier | undefined;
  /** Factor of that gradient; 1, the default, is the exact one for an exact classifier, more is clearer. */
  readonly classifierScale?: number | undefined;
}

/** The numbers of {@link GuidanceOptions}, checked. */
export interface Guidance {
  /** Whether the network is also asked without conditions; the numbers may change from call to call, this is a program's. */
  readonly isGuided: boolean;
  readonly condScale: number;
  readonly rescaledPhi: number;
  readonly classifierScale: number;
}

/** The prediction as it is. */
export const NO_GUIDANCE: Guidance = { isGuided: false, condScale: 1, rescaledPhi: 0, classifierScale: 0 };

/** @throws one line if a number is out of its range, or there is nothing to guide towards */
export function guidanceOf(options: GuidanceOptions, hasConditions: boolean): Guidance {
  const { condScale = 1, rescaledPhi = 0, classifier, classifierScale = classifier ? 1 : 0 } = options;
  if (!Number.isFinite(condScale)) throw new Error(`sample: condScale must be a number, got ${condScale}`);
  if (!(rescaledPhi >= 0 && rescaledPhi <= 1)) {
    throw new Error(`sample: rescaledPhi must be from 0 to 1, got ${rescaledPhi}`);
  }
  if (condScale !== 1 && !hasConditions) {
    throw new Error(`sample: condScale ${condScale} guides towards conditions, such as classes, but none are given`);
  }
  if (!Number.isFinite(classifierScale)) {
    throw new Error(`sample: classifierScale must be a number, got ${classifierScale}`);
  }
  if (!classifier && classifierScale !== 0) {
    throw new Error(`sample: classifierScale ${classifierScale} is for a classifier, but none is given`);
  }
  const isGuided = options.condScale !== undefined && hasConditions;
  return { isGuided, condScale, rescaledPhi, classifierScale };
}

/**
 * What the network predicts under classifier-free guidance, equation 6 of Ho & Salimans (2022). It holds for every
 * objective, as each is linear in the noise. With scale 1 and phi 0 it is exactly the conditional one.
 *
 * @param conditional what it predicts with the conditions, [batch, height, width, channels]
 * @param unconditional what it predicts without them
 * @param condScale f32 scalar
 * @param rescaledPhi f32 scalar
 */
export function guidedPrediction(
  conditional: Tensor,
  unconditional: Tensor,
  condScale: Tensor,
  rescaledPhi: Tensor,
): Tensor {
  const guided = conditional.add(conditional.subtract(unconditional).multiply(condScale.subtract(1)));
  const [wanted, has] = [deviation(conditional), deviation(guided)];
  // What is the same everywhere has no deviation to give back.
  const rescaled = guided.multiply(has.compare("gt", 0).select(wanted.divide(has), 1));
  return guided.add(rescaled.subtract(guided).multiply(rescaledPhi));
}

/** Of each image's values, [batch, 1, 1, 1]. */
function deviation(images: Tensor): Tensor {
  const all = [1, 2, 3];
  return images.subtract(images.mean(all, true)).square().mean(all, true).sqrt();
}

/**
 * What a classifier's gradient counts in the clean images that the network sees: as Algorithm 2 of Dhariwal & Nichol
 * (2021), which takes sigma times it from the noise, but for every sampler. Nothing where there is nothing to classify.
 */
export function gradientFactor({ classifierScale }: Guidance, level: NoiseLevel): number {
  return hasSignal(level) ? (classifierScale * level.sigma ** 2) / level.alpha : 0;
}
