import { schedulerFromConfig, schedulerNames } from "../../diffusion/schedulers/scheduler.ts";
import type { Scheduler, SchedulerName } from "../../diffusion/schedulers/scheduler.ts";
import type { SamplerName } from "../../diffusion/samplers/registry.ts";

interface Meant {
  readonly as: SchedulerName;
  /** Fields that are not the class's defaults. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What diffusers calls the samplers that it has too. */
const schedulers: Readonly<Partial<Record<SamplerName, Meant>>> = {
  ddpm: { as: "DDPMScheduler" },
  ddim: { as: "DDIMScheduler" },
  pndm: { as: "PNDMScheduler" },
  deis: { as: "DEISMultistepScheduler" },
  "dpmSolver++2M": { as: "DPMSolverMultistepScheduler", fields: { algorithm_type: "dpmsolver++", solver_order: 2 } },
  "dpmSolver++3M": { as: "DPMSolverMultistepScheduler", fields: { algorithm_type: "dpmsolver++", solver_order: 3 } },
  "dpmSolver++2MSde": {
    as: "DPMSolverMultistepScheduler",
    fields: { algorithm_type: "sde-dpmsolver++", solver_order: 2 },
  },
  uniPC: { as: "UniPCMultistepScheduler" },
  euler: { as: "EulerDiscreteScheduler" },
  eulerAncestral: { as: "EulerAncestralDiscreteScheduler" },
  heun: { as: "HeunDiscreteScheduler" },
  lms: { as: "LMSDiscreteScheduler" },
};

/**
 * Another scheduler of the same noise, as `from_config` makes it in diffusers; undefined for a sampler that diffusers has not.
 *
 * @param json what the file of the scheduler says: fields that it leaves out are the new class's defaults
 */
export function converted(json: object, where: string, sampler: SamplerName | SchedulerName): Scheduler | undefined {
  const isClass = (name: string): name is SchedulerName => (schedulerNames as readonly string[]).includes(name);
  const meant = isClass(sampler) ? { as: sampler } : schedulers[sampler];
  return meant && schedulerFromConfig({ ...json, ...meant.fields }, where, { as: meant.as });
}
