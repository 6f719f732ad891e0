import * as z from "zod/mini";
import { check } from "../../config/rules.ts";
import { inFolder, readJson } from "../source/source.ts";
import type { Source } from "../source/source.ts";

/** The pipelines of diffusers that draw images of nothing in particular from a network and a scheduler. */
export const pipelineClasses = {
  /** The scheduler that it makes of whatever it is given, if any, and its steps unless it is told otherwise. */
  DDPMPipeline: { scheduler: undefined, steps: 1000 },
  DDIMPipeline: { scheduler: "DDIMScheduler", steps: 50 },
  PNDMPipeline: { scheduler: "PNDMScheduler", steps: 50 },
} as const;

export type PipelineClass = keyof typeof pipelineClasses;

/** What the first releases of diffusers called them. */
const formerNames: Readonly<Record<string, PipelineClass>> = {
  DDPM: "DDPMPipeline",
  DDIM: "DDIMPipeline",
  PNDM: "PNDMPipeline",
};

/** A file of a model that says what a part of it is. */
export interface PartConfig {
  readonly value: unknown;
  /** Of its folder in the source; "" for the source itself. */
  readonly folder: string;
  /** The file's name, for messages. */
  readonly where: string;
}

export interface PipelineParts {
  readonly className: PipelineClass;
  readonly unet: PartConfig;
  readonly scheduler: PartConfig;
}

const INDEX = "model_index.json";
const index = z.looseObject({ _class_name: z.string() });

/**
 * Reads what a pipeline consists of.
 *
 * @throws Error of one line naming the file and what is there, if it is no pipeline that is known here
 */
export async function readParts(source: Source): Promise<PipelineParts> {
  const found = await readJson(source, INDEX);
  const where = `${source.name}: ${INDEX}`;
  if (!found) throw new Error(`${source.name}: no pipeline of diffusers: no ${INDEX} there`);
  const { _class_name: given, ...parts } = check(index, found.value, where);
  const className = Object.hasOwn(formerNames, given) ? formerNames[given] : given;
  if (!Object.hasOwn(pipelineClasses, className)) {
    const known = Object.keys(pipelineClasses).join(", ");
    throw new Error(`${where}: _class_name must be one of ${known}, got ${JSON.stringify(given.slice(0, 80))}`);
  }
  for (const name of Object.keys(parts)) {
    if (name.startsWith("_") || name === "unet" || name === "scheduler" || isNothing(parts[name])) continue;
    throw new Error(`${where}: ${name} is not supported, got ${JSON.stringify(parts[name])?.slice(0, 80)}`);
  }
  return {
    className: className as PipelineClass,
    unet: await readPart(source, "unet", "config.json"),
    scheduler: await readPart(source, "scheduler", "scheduler_config.json"),
  };
}

/**
 * The file of a part, in the folder of its name or, as in the first repositories, in the source itself.
 *
 * @throws Error of one line if it is in neither
 */
export async function readPart(source: Source, name: string, file: string): Promise<PartConfig> {
  for (const folder of name === "" ? [""] : [name, ""]) {
    const path = inFolder(folder, file);
    const found = await readJson(source, path);
    if (found) return { ...found, folder, where: `${source.name}: ${path}` };
  }
  throw new Error(`${source.name}: no ${inFolder(name, file)} there`);
}

/** A part that a pipeline does without: [null, null]. */
function isNothing(part: unknown): boolean {
  return part === null || (Array.isArray(part) && part.every((entry) => entry === null));
}
