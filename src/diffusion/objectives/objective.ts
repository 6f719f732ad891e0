import type { Tensor } from "../../tensor/tensor.ts";
import type { LevelTensors } from "../process/process.ts";

/**
 * What a network is trained to answer about x = alpha x_0 + sigma epsilon: some combination of the clean images and the
 * noise, from which and x the clean images follow.
 */
export interface ObjectiveRow {
  /** What it should answer. */
  target(xStart: Tensor, noise: Tensor, level: LevelTensors): Tensor;
  /** The clean images that an answer means. */
  xStart(x: Tensor, answer: Tensor, level: LevelTensors): Tensor;
  /** How many times the squared error of the clean images its squared error is, at a signal-to-noise ratio. */
  squaredErrorRatio(snr: number): number;
  /** Whether the clean images follow only where there is some signal. */
  readonly needsSignal?: boolean;
}

/** epsilon (Ho et al. 2020, 2006.11239). */
const predNoise: ObjectiveRow = {
  target: (_xStart, noise) => noise,
  xStart: (x, noise, { alpha, sigma }) => x.subtract(noise.multiply(sigma)).divide(alpha),
  squaredErrorRatio: (snr) => snr,
  needsSignal: true,
};

/** The clean images. */
const predX0: ObjectiveRow = {
  target: (xStart) => xStart,
  xStart: (_x, xStart) => xStart,
  squaredErrorRatio: () => 1,
};

/** v = alpha epsilon - sigma x_0, where alpha^2 + sigma^2 = 1 (Salimans & Ho 2022, 2202.00512). */
const predV: ObjectiveRow = {
  target: (xStart, noise, { alpha, sigma }) => noise.multiply(alpha).subtract(xStart.multiply(sigma)),
  xStart: (x, v, { alpha, sigma }) => x.multiply(alpha).subtract(v.multiply(sigma)),
  squaredErrorRatio: (snr) => snr + 1,
};

/** The velocity epsilon - x_0 of a straight path from images to noise (Liu et al. 2022, 2209.03003). */
export const velocity: ObjectiveRow = {
  target: (xStart, noise) => noise.subtract(xStart),
  xStart: (x, velocity, { alpha, sigma }) => x.subtract(velocity.multiply(sigma)).divide(alpha.add(sigma)),
  squaredErrorRatio: (snr) => (1 + Math.sqrt(snr)) ** 2,
};

/** Those that the network of a `GaussianDiffusion` may have. */
export const objectives = { predNoise, predX0, predV } as const satisfies Readonly<Record<string, ObjectiveRow>>;

/** What the network's output stands for: the noise, the clean images, or v (Salimans & Ho 2022, 2202.00512). */
export type Objective = keyof typeof objectives;

export const objectiveNames = Object.keys(objectives) as [Objective, ...Objective[]];
