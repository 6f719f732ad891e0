import type * as z from "zod/mini";
import type { VarianceType } from "../denoiser.ts";
import type { NoiseLevels } from "../process/noise-level.ts";
import type { Betas } from "../process/schedules.ts";
import type { SamplerSettings } from "../sampling/sample.ts";
import type { TrainedWith } from "./trained-betas.ts";

/** The fields that every class has. */
export interface CommonConfig extends TrainedWith {
  readonly prediction_type: string;
}

/** What there is to choose noise levels from. */
export interface TrainedNoise {
  readonly levels: NoiseLevels;
  /** sigma / alpha at every timestep. */
  readonly sigmas: Betas;
}

/** What a class of diffusers' schedulers means here. */
export interface SchedulerClass<Config extends CommonConfig> {
  /** Its fields, with what holds where the file leaves one out. */
  readonly fields: z.ZodMiniType<Config>;
  /** Whether the last timestep keeps a signal of 2^-24 where `rescale_betas_zero_snr` takes it, so that there is a sigma. */
  readonly keepsSignal: boolean;
  /** Whether its networks have a second half of channels for the variance. */
  readonly varianceType?: (config: Config) => VarianceType;
  /** Refuses fields that do not go together, in a line without the file's name. */
  readonly check?: (config: Config) => void;
  /** How to sample as it does. */
  readonly settings: (config: Config, steps: number, noise: TrainedNoise) => SamplerSettings;
}

/** Lets TypeScript know a class's own fields, and then forget them. */
export function schedulerClass<Config extends CommonConfig>(row: SchedulerClass<Config>): SchedulerClass<CommonConfig> {
  // Its functions are given nothing but what its own fields let through.
  return row as unknown as SchedulerClass<CommonConfig>;
}

/** Bounds of predictions, as options of sampling. */
export function boundsOf(config: {
  readonly clip_sample?: boolean;
  readonly clip_sample_range?: number;
  readonly thresholding?: boolean;
  readonly dynamic_thresholding_ratio?: number;
  readonly sample_max_value?: number;
}): SamplerSettings {
  if (config.thresholding) {
    return { thresholdingRatio: config.dynamic_thresholding_ratio, thresholdingMax: config.sample_max_value };
  }
  return { clipRange: config.clip_sample ? config.clip_sample_range : Infinity };
}
