/** How the learning rate moves: a linear rise over the first steps, then constant or half a cosine downwards. */
export interface LearningRateSchedule {
  /** The rate after the rise. */
  readonly learningRate: number;
  readonly learningRateSchedule: "constant" | "cosine";
  /** Steps of the linear rise; 0 starts at the full rate. */
  readonly warmupSteps: number;
  /** What a cosine schedule ends with, as a fraction of `learningRate`. */
  readonly finalLearningRateFraction: number;
}

/**
 * The learning rate of one step. A cosine (Loshchilov & Hutter 2017, without restarts) reaches its final
 * fraction at the end of `totalSteps` and stays there.
 *
 * @param step the step about to be taken, from 0
 */
export function learningRateAt(step: number, totalSteps: number, schedule: LearningRateSchedule): number {
  const { learningRate, learningRateSchedule, warmupSteps, finalLearningRateFraction: last } = schedule;
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  if (learningRateSchedule === "constant") return learningRate;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  return learningRate * (last + ((1 - last) * (1 + Math.cos(Math.PI * progress))) / 2);
}
