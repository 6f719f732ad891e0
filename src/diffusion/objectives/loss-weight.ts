import { objectives } from "./objective.ts";
import type { Objective } from "./objective.ts";
import type { NoiseSchedule } from "../process/noise-schedule.ts";
import type { Betas } from "../process/schedules.ts";

/** abar / (1 - abar) at each timestep, the signal-to-noise ratio. */
function snrOf({ alphasCumprod }: NoiseSchedule): Betas {
  return alphasCumprod.map((abar) => abar / (1 - abar));
}

/** What a squared error of an objective counts if that of the clean images counts `ofStart`. */
function weightOf(objective: Objective, ofStart: number, snr: number): number {
  return ofStart / objectives[objective].squaredErrorRatio(snr);
}

/**
 * Min-SNR-gamma of Hang et al. (2023, 2303.09556): the error of x_0 counts min(SNR, gamma), so that of the noise counts
 * min(SNR, gamma) / SNR and that of v min(SNR, gamma) / (SNR + 1).
 *
 * @param gamma above 0; the paper recommends 5
 * @returns a weight for each timestep
 */
export function minSnrWeights(schedule: NoiseSchedule, objective: Objective, gamma: number): Betas {
  if (!(gamma > 0)) throw new Error(`minSnrGamma: must be above 0, got ${gamma}`);
  return seen(
    "minSnrLossWeight",
    snrOf(schedule).map((snr) => weightOf(objective, Math.min(snr, gamma), snr)),
  );
}

/**
 * P2 weighting of Choi et al. (2022, 2204.00227): the error of the noise counts 1 / (k + SNR)^gamma, and that of x_0
 * and of v accordingly.
 *
 * @param gamma above 0; the paper uses 0.5 and 1
 * @param k above 0; the paper uses 1
 * @returns a weight for each timestep
 */
export function p2Weights(schedule: NoiseSchedule, objective: Objective, gamma: number, k: number): Betas {
  if (!(gamma > 0)) throw new Error(`p2LossWeightGamma: must be above 0, got ${gamma}`);
  if (!(k > 0)) throw new Error(`p2LossWeightK: must be above 0, got ${k}`);
  return seen(
    "p2LossWeightGamma",
    snrOf(schedule).map((snr) => weightOf(objective, snr / (k + snr) ** gamma, snr)),
  );
}

/** @throws one line if a timestep counts nothing in float32, and so would never be learned */
function seen(option: string, weights: Betas): Betas {
  const t = weights.findIndex((weight) => !(Math.fround(weight) > 0 && Math.fround(weight) < Infinity));
  if (t === -1) return weights;
  const why = t === weights.length - 1 ? ", where sampling starts: it has no signal left to weight by" : "";
  throw new Error(`${option}: must give every timestep some weight, got ${weights[t]} at timestep ${t}${why}`);
}
