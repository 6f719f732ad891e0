import { schedulerFromConfig } from "../../diffusion/schedulers/scheduler.ts";
import { openSource } from "../source/open-source.ts";
import type { PretrainedLocation, SourceOptions } from "../source/open-source.ts";
import { modelOfConfig } from "./model.ts";
import { readParts } from "./model-index.ts";
import { DiffusionPipeline } from "./pipeline.ts";

/**
 * A pipeline without its weights, which are not fetched: zeros that take no memory.
 *
 * @throws Error of one line that names the file and what there is not here, or is wrong with it
 */
export async function describedPipeline(where: PretrainedLocation, options: SourceOptions): Promise<DiffusionPipeline> {
  const { className, unet, scheduler } = await readParts(await openSource(where, options));
  const model = modelOfConfig(unet);
  return new DiffusionPipeline({ className, model, scheduler: schedulerFromConfig(scheduler.value, scheduler.where) });
}
