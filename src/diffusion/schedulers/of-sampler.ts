import type { SamplerName } from "../samplers/registry.ts";
import type { UsualSampling } from "../samplers/usual-sampling.ts";
import { spacings } from "./fields.ts";
import type { SchedulerName } from "./scheduler.ts";

/** What a sampler is among diffusers' classes. */
export interface Meant {
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

/** Undefined for a sampler that diffusers has not. */
export function schedulerOfSampler(sampler: SamplerName): Meant | undefined {
  return schedulers[sampler];
}

/** The class and the fields of a way to draw; number of steps and eta have none, as they are arguments of a pipeline there. */
export function schedulerOfSampling({ sampler, timestepSpacing, sigmaMin, sigmaMax, order }: UsualSampling): Meant {
  const { as, fields } = schedulers[sampler] ?? { as: "DDPMScheduler" };
  const isKarras = timestepSpacing === "karras";
  return {
    as,
    // Of these a class takes those that it has.
    fields: {
      ...fields,
      ...(order !== undefined && { solver_order: order }),
      ...(spacings.some((name) => name === timestepSpacing) && { timestep_spacing: timestepSpacing }),
      ...(isKarras && { use_karras_sigmas: true, sigma_min: sigmaMin, sigma_max: sigmaMax }),
    },
  };
}
