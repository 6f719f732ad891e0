import * as z from "zod/mini";
import { oneOf, withDefault } from "../../../config/rules.ts";
import { CLEAN } from "../../process/noise-level.ts";
import type { NoiseLevel } from "../../process/noise-level.ts";
import type { Betas } from "../../process/schedules.ts";
import type { SamplerSettings } from "../../sampling/sample.ts";
import {
  clipped,
  finalSigmas,
  sigmaRange,
  spaced,
  spreadSigmas,
  trained,
  usualBetaSchedules,
  zeroSnr,
} from "../fields.ts";
import type { Spacing } from "../fields.ts";
import { boundsOf, schedulerClass } from "../scheduler-class.ts";
import type { TrainedNoise } from "../scheduler-class.ts";
import { checkSpread, spreadOf } from "../spread.ts";
import type { SpreadConfig } from "../spread.ts";
import { interpolated, levelOf, sigmasBetween, timestepWithSigma, visitedTimesteps } from "../visited-levels.ts";
import type { VisitedSigma } from "../visited-levels.ts";

/** The schedulers of k-diffusion, which count in sigma / alpha, and whose images are not scaled. */

const predictionTypes = ["epsilon", "v_prediction", "sample"] as const;

export const euler = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: usualBetaSchedules, predictionTypes: [...predictionTypes, "original_sample"] }),
      ...spaced("linspace"),
      ...spreadSigmas(),
      sigma_min: withDefault(sigmaRange().sigma_min, null),
      sigma_max: withDefault(sigmaRange().sigma_max, null),
      ...finalSigmas(),
      ...zeroSnr(),
      interpolation_type: withDefault(oneOf(["linear", "log_linear"]), "linear"),
      timestep_type: withDefault(oneOf(["discrete", "continuous"]), "discrete"),
    }),
    keepsSignal: true,
    check: checkSpread,
    settings: (config, steps, noise) => {
      const { visited, end = config.final_sigmas_type === "zero" ? 0 : noise.sigmas[0] } =
        config.interpolation_type === "log_linear"
          ? logLinear(config, steps, noise)
          : { visited: path(config, steps, noise) };
      const isContinuous = config.timestep_type === "continuous" && config.prediction_type === "v_prediction";
      const told = isContinuous ? visited.map(({ sigma }) => ({ timestep: Math.log(sigma) / 4, sigma })) : visited;
      return { sampler: "euler", ...walk(config, told, unscaledEnd(end)) };
    },
  });

export const eulerAncestral = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: usualBetaSchedules, predictionTypes: ["epsilon", "v_prediction"] }),
      ...spaced("linspace"),
      ...zeroSnr(),
    }),
    keepsSignal: true,
    settings: (config, steps, noise) => ({ sampler: "eulerAncestral", ...walk(config, path(config, steps, noise)) }),
  });

export const heun = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: [...usualBetaSchedules, "exp"], predictionTypes }, { start: 0.00085, end: 0.012 }),
      ...spaced("linspace"),
      ...spreadSigmas(),
      ...sigmaRange(),
      ...clipped(false),
    }),
    keepsSignal: true,
    check: checkSpread,
    settings: (config, steps, noise) => ({
      sampler: "heun",
      ...walk(config, path(config, steps, noise)),
      ...boundsOf(config),
    }),
  });

export const lms = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: usualBetaSchedules, predictionTypes }),
      ...spaced("linspace"),
      ...spreadSigmas(),
      ...sigmaRange(),
    }),
    keepsSignal: true,
    check: checkSpread,
    settings: (config, steps, noise) => {
      // Only its karras sigmas know no other ends than those of the timesteps.
      const { sigma_min, sigma_max, ...others } = config;
      const ends = config.use_karras_sigmas ? {} : { sigma_min, sigma_max };
      return { sampler: "lms", ...walk(config, path({ ...others, ...ends }, steps, noise)) };
    },
  });

interface SigmaConfig extends SpreadConfig {
  readonly num_train_timesteps: number;
  readonly timestep_spacing: Spacing;
  readonly steps_offset: number;
}

/** The noise levels of the timesteps, which may lie between two, or others between the first and the last of them. */
function path(config: SigmaConfig, steps: number, { sigmas }: TrainedNoise): VisitedSigma[] {
  const atTimesteps = timestepsOf(config, steps).map((timestep) => ({
    timestep,
    sigma: interpolated(sigmas, timestep),
  }));
  const spread = spreadOf(config);
  if (!spread) return atTimesteps;
  const { sigma_max: most = null, sigma_min: least = null } = config;
  return between(
    sigmasBetween(spread, steps, most ?? atTimesteps[0].sigma, least ?? atTimesteps[steps - 1].sigma),
    sigmas,
  );
}

/**
 * One level more than steps, from the most to the least noise of the training at equal distances of its logarithm; the network
 * is told the usual timesteps nevertheless, and is not asked at the last level, unless levels are what it is told.
 */
function logLinear(
  config: SigmaConfig & { readonly timestep_type: string; readonly prediction_type: string },
  steps: number,
  { sigmas }: TrainedNoise,
): { readonly visited: VisitedSigma[]; readonly end?: number } {
  const [most, least] = [sigmas[sigmas.length - 1], sigmas[0]];
  const spread = spreadOf(config);
  if (spread) {
    const { sigma_max: max = null, sigma_min: min = null } = config;
    return { visited: between(sigmasBetween(spread, steps, max ?? most, min ?? least), sigmas) };
  }
  const levels = sigmasBetween("exponential", steps + 1, most, least);
  if (config.timestep_type === "continuous" && config.prediction_type === "v_prediction") {
    return { visited: between(levels, sigmas) };
  }
  return {
    visited: timestepsOf(config, steps).map((timestep, i) => ({ timestep, sigma: levels[i] })),
    end: levels[steps],
  };
}

function timestepsOf(config: SigmaConfig, steps: number): number[] {
  const { timestep_spacing: spacing, steps_offset: offset, num_train_timesteps: timesteps } = config;
  return visitedTimesteps({ spacing, steps, timesteps, offset, mayBeFractions: true });
}

function between(visited: readonly number[], sigmas: Betas): VisitedSigma[] {
  return visited.map((sigma) => ({ timestep: timestepWithSigma(sigmas, sigma), sigma }));
}

/** With `leading` the first images have the variance of noisy ones, else that of the noise in them. */
function walk(
  { timestep_spacing: spacing }: Pick<SigmaConfig, "timestep_spacing">,
  visited: readonly VisitedSigma[],
  end: NoiseLevel = CLEAN,
): SamplerSettings {
  const levels = visited.map(levelOf);
  const startDeviation = spacing === "leading" ? undefined : levels[0].sigma;
  return { levels: [...levels, end], clipRange: Infinity, ...(startDeviation !== undefined && { startDeviation }) };
}

/** Images of k-diffusion are not scaled, so that what noise is left at the end comes on top. */
function unscaledEnd(sigma: number): NoiseLevel {
  return sigma === 0 ? CLEAN : { timestep: 0, alpha: 1, sigma };
}
