import { formatPythonJson } from "../../io/python-json.ts";
import { serializeSafetensors } from "../../io/safetensors/safetensors.ts";
import { schedulerConfig } from "../../diffusion/schedulers/scheduler.ts";
import type { Scheduler } from "../../diffusion/schedulers/scheduler.ts";
import type { DiffusionModel } from "../../models/model.ts";
import { architectureNamed } from "../../models/registry.ts";
import { modelCard } from "./model-card.ts";
import type { ModelCard } from "./model-card.ts";

export interface SaveOptions {
  /** What the README.md of the folder tells of the model; false for no README.md. */
  readonly card?: ModelCard | false | undefined;
}

/** What a pipeline is saved of. */
interface Saved {
  readonly className: string;
  readonly model: DiffusionModel;
  readonly scheduler: Scheduler;
}

/** The folder of each part, and what they are called in a pipeline of diffusers. */
const UNET = "unet";
const SCHEDULER = "scheduler";

/** The files of a diffusers folder by their paths, as its `save_pretrained` writes them. */
export async function pipelineFiles(saved: Saved, { card }: SaveOptions): Promise<Map<string, Uint8Array>> {
  const { className, model, scheduler } = saved;
  const config = configOf(model);
  const index = {
    _class_name: className,
    _diffusers_version: config["_diffusers_version"],
    [SCHEDULER]: ["diffusers", scheduler.className],
    [UNET]: ["diffusers", config["_class_name"]],
  };
  const files = new Map([
    ["model_index.json", json(index)],
    [`${SCHEDULER}/scheduler_config.json`, json(schedulerConfig(scheduler))],
    [`${UNET}/config.json`, json(config)],
    // Python's readers ask for this word.
    [`${UNET}/diffusion_pytorch_model.safetensors`, serializeSafetensors(await model.stateDict(), { format: "pt" })],
  ]);
  if (card === false) return files;
  const { text, pictures } = modelCard(saved, card ?? {});
  files.set("README.md", new TextEncoder().encode(text));
  for (const [name, picture] of pictures) files.set(name, picture);
  return files;
}

/**
 * What diffusers' `config.json` says of a network.
 *
 * @throws Error of one line if diffusers has no such network
 */
export function configOf(model: DiffusionModel): Readonly<Record<string, unknown>> {
  const { diffusers, title } = architectureNamed(model.architecture);
  if (diffusers) return diffusers.toConfig(model);
  throw new Error(`${title}: diffusers has no such network, so that it cannot be stored as one of its folders`);
}

/** As Python writes it: the keys in order, two blanks, a line's end. */
function json(value: object): Uint8Array {
  return new TextEncoder().encode(`${formatPythonJson(value)}\n`);
}
