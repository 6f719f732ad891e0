import type { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { schedulerOfSampling } from "./of-sampler.ts";
import type { Meant } from "./of-sampler.ts";
import { schedulerFromConfig } from "./scheduler.ts";
import type { Scheduler, SchedulerName } from "./scheduler.ts";
import { trainedAlphasCumprod } from "./trained-betas.ts";

const predictionTypes = { predNoise: "epsilon", predX0: "sample", predV: "v_prediction" } as const;
const varianceTypes = { fixedSmall: "fixed_small", fixedLarge: "fixed_large", learnedRange: "learned_range" } as const;

/** The schedules that have a name in all of diffusers' classes. */
const schedules = ["linear", "scaled_linear", "squaredcos_cap_v2"] as const;

/**
 * The scheduler of a diffusion that was trained here, for a folder that diffusers reads. Betas that no schedule of diffusers has are
 * listed one by one.
 *
 * @param className default that of the diffusion's `sampling`, or else `DDPMScheduler`
 */
export function schedulerOf(diffusion: GaussianDiffusion, className?: SchedulerName): Scheduler {
  const { as, fields }: Meant = diffusion.sampling ? schedulerOfSampling(diffusion.sampling) : { as: "DDPMScheduler" };
  const config = {
    ...(className === undefined && fields),
    _class_name: className ?? as,
    ...noiseOf(diffusion),
    prediction_type: predictionTypes[diffusion.objective],
    variance_type: varianceTypes[diffusion.varianceType],
    clip_sample: diffusion.clipDenoised,
  };
  return schedulerFromConfig(config, "scheduler_config.json");
}

function noiseOf({ schedule, timesteps }: GaussianDiffusion): object {
  const { betas, alphasCumprod } = schedule;
  // Without what rounding added.
  const [start, end] = [betas[0], betas[timesteps - 1]].map((beta) => Number(beta.toPrecision(10)));
  for (const name of schedules) {
    const range = name === "squaredcos_cap_v2" ? {} : { beta_start: start, beta_end: end };
    const named = { num_train_timesteps: timesteps, beta_schedule: name, ...range };
    const theirs = trainedAlphasCumprod(
      { beta_start: 0, beta_end: 0, trained_betas: null, ...named },
      (value) => value,
    );
    if (theirs.every((abar, t) => Math.abs(abar - alphasCumprod[t]) <= 1e-9 * alphasCumprod[t])) return named;
  }
  return { num_train_timesteps: timesteps, trained_betas: Array.from(betas) };
}
