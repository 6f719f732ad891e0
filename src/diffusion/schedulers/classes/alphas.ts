import * as z from "zod/mini";
import { flag, oneOf, positiveNumber, wholeNumber, withDefault } from "../../../config/rules.ts";
import { CLEAN } from "../../process/noise-level.ts";
import type { NoiseLevel, NoiseLevels } from "../../process/noise-level.ts";
import type { SamplerSettings } from "../../sampling/sample.ts";
import { clipped, spaced, thresholded, trained, usualBetaSchedules, varianceNames, zeroSnr } from "../fields.ts";
import type { Spacing } from "../fields.ts";
import { boundsOf, schedulerClass } from "../scheduler-class.ts";
import { visitedTimesteps } from "../visited-levels.ts";

/** The schedulers that count in abar, at whole timesteps. */

const predictionTypes = ["epsilon", "sample", "v_prediction"] as const;

const variances = {
  fixed_small: "fixedSmall",
  fixed_small_log: "fixedSmall",
  fixed_large: "fixedLarge",
  // diffusers takes the root of its logarithm, which is no number; this is what was meant.
  fixed_large_log: "fixedLarge",
  learned: "learned",
  learned_range: "learnedRange",
} as const satisfies Readonly<Record<(typeof varianceNames)[number], string>>;

export const ddpm = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: [...usualBetaSchedules, "sigmoid", "laplace"], predictionTypes }),
      ...spaced("leading"),
      ...clipped(true),
      ...thresholded(),
      ...zeroSnr(),
      variance_type: withDefault(z.nullable(oneOf(varianceNames)), "fixed_small"),
    }),
    keepsSignal: false,
    varianceType: ({ variance_type: type }) => (type?.startsWith("learned") ? "learnedRange" : "fixedSmall"),
    settings: (config, steps, { levels }) => ({
      sampler: "ddpm",
      levels: [...timestepsOf(config, steps).map((t) => levels.at(t)), CLEAN],
      varianceType: variances[config.variance_type ?? "fixed_small"],
      finalNoise: true,
      ...boundsOf(config),
    }),
  });

const alphaToOne = (usual: boolean) => ({ set_alpha_to_one: withDefault(flag(), usual) });

export const ddim = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: usualBetaSchedules, predictionTypes }),
      ...spaced("leading"),
      ...clipped(true),
      ...thresholded(),
      ...zeroSnr(),
      ...alphaToOne(true),
    }),
    keepsSignal: false,
    settings: (config, steps, { levels }) => ({
      sampler: "ddim",
      ...strided(config, steps, levels),
      useClippedModelOutput: false,
      ...boundsOf(config),
    }),
  });

export const pndm = () =>
  schedulerClass({
    fields: z.object({
      ...trained({ schedules: usualBetaSchedules, predictionTypes: ["epsilon", "v_prediction"] }),
      ...spaced("leading"),
      ...alphaToOne(false),
      skip_prk_steps: withDefault(flag(), false),
    }),
    keepsSignal: false,
    settings: (config, steps, { levels }) => ({
      sampler: "pndm",
      ...strided(config, steps, levels),
      rungeKutta: !config.skip_prk_steps,
      mixesVelocities: config.prediction_type === "v_prediction",
      clipRange: Infinity,
    }),
  });

export const lcm = () =>
  schedulerClass({
    fields: z.object({
      ...trained(
        { schedules: usualBetaSchedules, predictionTypes },
        { start: 0.00085, end: 0.012, schedule: "scaled_linear" },
      ),
      ...spaced("leading"),
      ...clipped(false),
      ...thresholded(),
      ...zeroSnr(),
      ...alphaToOne(true),
      original_inference_steps: withDefault(wholeNumber(1), 50),
      timestep_scaling: withDefault(positiveNumber(), 10),
    }),
    keepsSignal: false,
    check: ({ original_inference_steps: steps, num_train_timesteps: timesteps }) => {
      if (steps <= timesteps) return;
      throw new Error(`original_inference_steps must be at most num_train_timesteps, ${timesteps}, got ${steps}`);
    },
    settings: (config, steps, { levels }) => {
      const { original_inference_steps: most, num_train_timesteps: timesteps } = config;
      if (steps > most)
        throw new Error(`original_inference_steps must be at least as many as steps, ${steps}, got ${most}`);
      const distance = Math.floor(timesteps / most);
      const distilled = Array.from({ length: most }, (_, i) => (most - i) * distance - 1);
      const visited = Array.from({ length: steps }, (_, i) => distilled[Math.floor(i * (most / steps))]);
      return {
        sampler: "lcm",
        levels: [...visited.map((t) => levels.at(t)), CLEAN],
        timestepScaling: config.timestep_scaling,
        ...boundsOf(config),
      };
    },
  });

interface Spaced {
  readonly num_train_timesteps: number;
  readonly timestep_spacing: Spacing;
  readonly steps_offset: number;
}

function timestepsOf(config: Spaced, steps: number): number[] {
  const { timestep_spacing: spacing, steps_offset: offset, num_train_timesteps: timesteps } = config;
  return visitedTimesteps({ spacing, steps, timesteps, offset });
}

/** Steps of equal length, which may end elsewhere than where the next one begins; the last arrives at images or at abar_0. */
function strided(
  config: Spaced & { readonly set_alpha_to_one: boolean },
  steps: number,
  levels: NoiseLevels,
): SamplerSettings & { readonly levels: readonly NoiseLevel[] } {
  const visited = timestepsOf(config, steps).map((t) => levels.at(t));
  return {
    levels: [...visited, config.set_alpha_to_one ? CLEAN : levels.at(0)],
    stride: Math.floor(config.num_train_timesteps / steps),
  };
}
