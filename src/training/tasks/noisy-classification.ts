import { logLikelihood } from "../../diffusion/sampling/classifier.ts";
import type { NoisyClassifier } from "../../diffusion/sampling/classifier.ts";
import type { Diffusion } from "../../diffusion/diffusion.ts";
import type { TrainingTask } from "../task.ts";
import { Noising } from "./noising.ts";
import { checkOptions } from "../../config/rules.ts";

export interface NoisyClassificationOptions {
  /** How timesteps are drawn; `importance` by their losses. Default `uniform`. */
  readonly scheduleSampler?: "uniform" | "importance" | undefined;
}

/** A network learns to tell the classes of images in noise, by the cross-entropy (Dhariwal & Nichol 2021, 2105.05233). */
export function noisyClassification(
  classifier: NoisyClassifier,
  diffusion: Diffusion,
  options: NoisyClassificationOptions = {},
): TrainingTask {
  checkOptions("noisyClassification", options, { scheduleSampler: "string" });
  const { scheduleSampler = "uniform" } = options;
  const noising = new Noising(diffusion, scheduleSampler);
  return {
    inputs: { classes: { shape: [], dtype: "i32" } },
    variants: ["plain"],
    variantOf: () => "plain",
    loss({ images, inputs: { classes } }, random) {
      const noised = noising.draw(images, random);
      const { xStart, t, noise } = noised;
      const x = diffusion.qSample(xStart, t, noise);
      return noising.lossOf(noised, logLikelihood(classifier, x, t, classes).negate());
    },
    state: () => noising.state(),
    record: (observations) => noising.record(observations),
    refresh: (records) => noising.refresh(records),
  };
}
