import * as z from "zod/mini";
import { check, oneOf } from "../../config/rules.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { Objective } from "../objectives/objective.ts";
import type { Betas } from "../process/schedules.ts";
import type { SamplerSettings } from "../sampling/sample.ts";
import { ddim, ddpm, lcm, pndm } from "./classes/alphas.ts";
import { deisMultistep, dpmSolverMultistep, uniPCMultistep } from "./classes/multistep.ts";
import { euler, eulerAncestral, heun, lms } from "./classes/sigmas.ts";
import type { CommonConfig, SchedulerClass } from "./scheduler-class.ts";
import { trainedAlphasCumprod } from "./trained-betas.ts";
import { sigmaOf } from "./visited-levels.ts";

const classes = {
  DDPMScheduler: ddpm,
  DDIMScheduler: ddim,
  PNDMScheduler: pndm,
  LCMScheduler: lcm,
  EulerDiscreteScheduler: euler,
  EulerAncestralDiscreteScheduler: eulerAncestral,
  HeunDiscreteScheduler: heun,
  LMSDiscreteScheduler: lms,
  DPMSolverMultistepScheduler: dpmSolverMultistep,
  UniPCMultistepScheduler: uniPCMultistep,
  DEISMultistepScheduler: deisMultistep,
} as const satisfies Readonly<Record<string, () => SchedulerClass<CommonConfig>>>;

/** A class of diffusers. */
export type SchedulerName = keyof typeof classes;

export const schedulerNames = Object.keys(classes) as [SchedulerName, ...SchedulerName[]];

const objectives: Readonly<Record<string, Objective>> = {
  epsilon: "predNoise",
  sample: "predX0",
  original_sample: "predX0",
  v_prediction: "predV",
};

/** What a scheduler_config.json says. */
export interface Scheduler {
  readonly className: SchedulerName;
  /** Every field of the class by diffusers' name: as the file has it, or else the class's default. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The noise that a network was trained with and what it predicts; trains and samples like any other. */
  readonly diffusion: GaussianDiffusion;
  /**
   * How to sample as the class does, for `diffusion.sample(model, { ...scheduler.settings(50), seed })`.
   *
   * @param steps from 1 to the number of timesteps; Runge and Kutta's take more evaluations
   * @throws one line if it cannot take so many steps
   */
  settings(steps: number): SamplerSettings;
}

export interface SchedulerOptions {
  /** Reads the file as another class would, `from_config` in diffusers: fields that it does not have are left out. */
  readonly as?: SchedulerName;
  /** Of the tables; default `float32`, as diffusers has them. */
  readonly precision?: "float32" | "float64";
}

/**
 * Reads what diffusers writes into a scheduler_config.json.
 *
 * @param where names the file in errors
 * @throws one line that names file, field and value, if one is not supported
 * @example
 * const scheduler = schedulerFromConfig({ _class_name: "DDIMScheduler", clip_sample: false }, "scheduler_config.json");
 * const images = await scheduler.diffusion.sample(model, { ...scheduler.settings(50), imageSize: 32 });
 */
export function schedulerFromConfig(json: unknown, where: string, options: SchedulerOptions = {}): Scheduler {
  const className = options.as ?? classNameOf(json, where);
  const row = classes[className]();
  const config = check(row.fields, json, where);
  return inFile(where, () => {
    row.check?.(config);
    if (!row.keepsSignal && config.rescale_betas_zero_snr && config.prediction_type === "epsilon") {
      throw new Error(
        "prediction_type must be another than epsilon where rescale_betas_zero_snr leaves no signal, got epsilon",
      );
    }
    const round = options.precision === "float64" ? (value: number) => value : Math.fround;
    const trained = trainedAlphasCumprod(config, round);
    const last = trained.length - 1;
    const isRescaled = row.keepsSignal && config.rescale_betas_zero_snr === true;
    // A schedule falls at every timestep, which that signal may not do.
    const alphasCumprod = isRescaled ? trained.with(last, Math.min(LEAST_SIGNAL, trained[last - 1] / 2)) : trained;
    const diffusion = new GaussianDiffusion({
      betas: betasOf(alphasCumprod),
      objective: objectives[config.prediction_type],
      clipDenoised: "clip_sample" in config && config.clip_sample === true,
      varianceType: row.varianceType?.(config) ?? "fixedSmall",
    });
    const sigmas = (isRescaled ? trained.with(last, LEAST_SIGNAL) : trained).map(sigmaOf);
    const noise = { levels: diffusion.levels, sigmas };
    return {
      className,
      config: { ...config },
      diffusion,
      settings(steps: number): SamplerSettings {
        const most = config.num_train_timesteps;
        if (!(Number.isSafeInteger(steps) && steps >= 1 && steps <= most)) {
          throw new Error(`${className}: steps must be a whole number from 1 to ${most}, got ${steps}`);
        }
        return inFile(where, () => row.settings(config, steps, noise));
      },
    };
  });
}

/** Those for JAX have the names of the others behind `Flax`. */
const named = () =>
  z.looseObject(
    {
      _class_name: z.pipe(
        z.pipe(
          z.string({ error: ({ input }) => `must be the name of a class, got ${shown(input)}` }),
          z.transform((name: string) => name.replace(/^Flax/, "")),
        ),
        oneOf(schedulerNames),
      ),
    },
    { error: ({ input }) => `must be an object, got ${shown(input)}` },
  );

function shown(value: unknown): string {
  return value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 80) ?? typeof value);
}

function classNameOf(json: unknown, where: string): SchedulerName {
  const { _class_name: className } = check(named(), json, where);
  return className;
}

/** What diffusers' `save_config` writes: every field, in the order of their names. */
export function schedulerConfig({ className, config }: Scheduler): Record<string, unknown> {
  const all = { _class_name: className, _diffusers_version: WRITTEN_AS, ...config };
  return Object.fromEntries(Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** abar of the last timestep where `rescale_betas_zero_snr` takes its signal, and there must be some. */
const LEAST_SIGNAL = 2 ** -24;

/** The release of diffusers whose files these are like. */
const WRITTEN_AS = "0.42.1";

/** Of which abar is the product. */
function betasOf(alphasCumprod: Betas): Betas {
  return alphasCumprod.map((abar, t) => 1 - abar / (t === 0 ? 1 : alphasCumprod[t - 1]));
}

/** Puts the file's name before what goes wrong. */
function inFile<Value>(where: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Error(`${where}: ${error.message}`, { cause: error });
  }
}
