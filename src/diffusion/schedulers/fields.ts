import * as z from "zod/mini";
import { flag, listOf, numberWithin, oneOf, positiveNumber, wholeNumber, withDefault } from "../../config/rules.ts";

// What the fields of a scheduler_config.json must hold to; those that several classes have are here, by what they say. They are made
// when a file is read, so that bundlers leave them out of pages that read none.

function anyNumber(): z.ZodMiniType<number, number> {
  return numberWithin(-Number.MAX_VALUE, Number.MAX_VALUE);
}

/** A value that is not supported, where the others are of no consequence. */
export function only<const Value extends string | boolean | null>(
  value: Value,
): z.ZodMiniDefault<z.ZodMiniType<Value>> {
  const rule = z.custom<Value>((given) => given === value || (value === false && given === null), {
    error: ({ input }) => `must be ${JSON.stringify(value)}, got ${JSON.stringify(input)?.slice(0, 80)}`,
  });
  return withDefault(rule as z.ZodMiniType<Value>, value as never);
}

/** A flag that may be null, for false. */
export function optionalFlag(value: boolean): z.ZodMiniDefault<z.ZodMiniNullable<z.ZodMiniType<boolean>>> {
  return withDefault(z.nullable(flag()), value);
}

export const usualBetaSchedules = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;

/** All that there are; no class has them all. */
export type TrainedBetaSchedule = (typeof usualBetaSchedules)[number] | "sigmoid" | "laplace" | "exp";

/** The noise that a network was trained with, and what it predicts. */
export function trained<
  const Schedules extends readonly [string, ...string[]],
  const Types extends readonly [string, ...string[]],
>(
  { schedules, predictionTypes }: { readonly schedules: Schedules; readonly predictionTypes: Types },
  { start = 0.0001, end = 0.02, schedule = "linear" } = {},
) {
  return {
    num_train_timesteps: withDefault(wholeNumber(1), 1000),
    beta_start: withDefault(anyNumber(), start),
    beta_end: withDefault(anyNumber(), end),
    beta_schedule: withDefault(oneOf(schedules), schedule as never),
    trained_betas: withDefault(z.nullable(listOf(anyNumber(), 1)), null),
    prediction_type: withDefault(oneOf(predictionTypes), "epsilon"),
  };
}

/** Of DDPM's noise. */
export const varianceNames = [
  "fixed_small",
  "fixed_small_log",
  "fixed_large",
  "fixed_large_log",
  "learned",
  "learned_range",
] as const;

export const spacings = ["linspace", "leading", "trailing"] as const;
export type Spacing = (typeof spacings)[number];

/** Which timesteps are visited. */
export function spaced(usual: Spacing) {
  return {
    timestep_spacing: withDefault(oneOf(spacings), usual),
    steps_offset: withDefault(wholeNumber(0), 0),
  };
}

/** Bounds of predictions. */
export function clipped(usual: boolean) {
  return {
    clip_sample: withDefault(flag(), usual),
    clip_sample_range: withDefault(positiveNumber(), 1),
  };
}

/** Dynamic thresholding. */
export const thresholded = () => ({
  thresholding: withDefault(flag(), false),
  dynamic_thresholding_ratio: withDefault(numberWithin(0, 1), 0.995),
  sample_max_value: withDefault(positiveNumber(), 1),
});

/** Noise levels that lie elsewhere than at timesteps at equal distances. */
export const spreadSigmas = () => ({
  use_karras_sigmas: optionalFlag(false),
  use_exponential_sigmas: optionalFlag(false),
  use_beta_sigmas: optionalFlag(false),
});

/** The ends of such levels. diffusers looks for them in the files of classes that do not name them, too. */
export const sigmaRange = () => ({
  sigma_min: z.optional(z.nullable(positiveNumber())),
  sigma_max: z.optional(z.nullable(positiveNumber())),
});

/** Where sampling arrives. */
export const finalSigmas = () => ({ final_sigmas_type: withDefault(oneOf(["zero", "sigma_min"]), "zero") });

export const zeroSnr = () => ({ rescale_betas_zero_snr: withDefault(flag(), false) });

/** Flows are another process. */
export const noFlow = () => ({
  use_flow_sigmas: only(false),
  use_dynamic_shifting: only(false),
  flow_shift: withDefault(anyNumber(), 1),
  time_shift_type: withDefault(z.string(), "exponential"),
});
