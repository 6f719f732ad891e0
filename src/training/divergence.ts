import type { TrainingSettings } from "../checkpoint/training-settings.ts";

/**
 * The error that ends a run whose numbers are no longer finite: what happened, what to try, what is left.
 *
 * @param what such as `the loss is NaN`
 * @param keptAt where the last good checkpoint is
 */
export function divergence(what: string, step: number, settings: TrainingSettings, keptAt: string | undefined): Error {
  const { learningRate, maxGradNorm } = settings;
  const advice = [
    `a lower learning rate (now ${learningRate})`,
    ...(maxGradNorm === 0 || maxGradNorm > 1 ? ["clipping gradients (maxGradNorm 1)"] : []),
    "more warm-up steps",
  ];
  const kept = keptAt === undefined ? "" : `; the last good checkpoint is ${keptAt}`;
  return new Error(`training diverged at step ${step}: ${what}. Try ${advice.join(", or ")}${kept}`);
}
