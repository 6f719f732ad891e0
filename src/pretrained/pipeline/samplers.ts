import { schedulerOfSampler } from "../../diffusion/schedulers/of-sampler.ts";
import { schedulerFromConfig, schedulerNames } from "../../diffusion/schedulers/scheduler.ts";
import type { Scheduler, SchedulerName } from "../../diffusion/schedulers/scheduler.ts";
import type { SamplerName } from "../../diffusion/samplers/registry.ts";

/**
 * Another scheduler of the same noise, as `from_config` makes it in diffusers; undefined for a sampler that diffusers has not.
 *
 * @param json what the file of the scheduler says: fields that it leaves out are the new class's defaults
 */
export function converted(json: object, where: string, sampler: SamplerName | SchedulerName): Scheduler | undefined {
  const isClass = (name: string): name is SchedulerName => (schedulerNames as readonly string[]).includes(name);
  const meant = isClass(sampler) ? { as: sampler } : schedulerOfSampler(sampler);
  return meant && schedulerFromConfig({ ...json, ...meant.fields }, where, { as: meant.as });
}
