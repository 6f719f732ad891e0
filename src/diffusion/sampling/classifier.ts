import { logSoftmax } from "../../tensor/functions/functions.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { iota } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** A network that tells of noisy images and their timesteps what they show; `UnetClassifier` is one. */
export interface NoisyClassifier {
  /** Channels of the images that it takes. */
  readonly channels: number;
  readonly numClasses: number;
  /**
   * From [batch, height, width, channels] and timesteps [batch], as a `Denoiser` is told them, to logits [batch,
   * numClasses]. What it says of an image may depend on that image alone.
   */
  forward(x: Tensor, time: Tensor): Tensor;
}

/** log p(y | x_t) of each image, [batch]. */
export function logLikelihood(classifier: NoisyClassifier, x: Tensor, t: Tensor, classes: Tensor): Tensor {
  const [batch] = x.shape;
  const logits = classifier.forward(x, t.broadcastTo([batch]));
  const isClass = iota(logits.shape, 1).compare("eq", classes.reshape([batch, 1]));
  return isClass.select(logSoftmax(logits), 0).sum(1);
}

/**
 * The gradient of log p(y | x_t) by x_t, shaped as `x`: what the score of the images of all classes lacks to be that of
 * the class (Dhariwal & Nichol 2021, 2105.05233).
 *
 * @param x must not depend on anything that the classifier does
 */
export function classGradient(classifier: NoisyClassifier, x: Tensor, t: Tensor, classes: Tensor): Tensor {
  return grad(logLikelihood(classifier, x, t, classes).sum(), [x])[0];
}
