import { checkOptions } from "../../config/rules.ts";
import type { DiffusionModel } from "../../models/model.ts";
import { architectureNames, architectureNamed, architectureOfDiffusers } from "../../models/registry.ts";
import { storedAs, withoutWeights } from "../../nn/init.ts";
import type { StorageDtype } from "../../tensor/half-storage.ts";
import { openSource, sourceOptionTypes } from "../source/open-source.ts";
import type { PretrainedLocation, SourceOptions } from "../source/open-source.ts";
import type { Source } from "../source/source.ts";
import { loadWeights } from "../weights/load.ts";
import { readPart } from "./model-index.ts";
import type { PartConfig } from "./model-index.ts";

export interface ModelFromPretrainedOptions extends SourceOptions {
  /** The network's folder in the source: `unet` in a pipeline's. Default: the source itself. */
  readonly subfolder?: string | undefined;
  /** Which of several sets of weights, such as `fp16`. */
  readonly variant?: string | undefined;
  /** What the weights take in memory, f32 unless given: f16 or bf16 for a network that is drawn with. See `storedAs`. */
  readonly weights?: StorageDtype | undefined;
}

/**
 * A network of a diffusers folder, of a `config.json` and weights: a model as any other, to be trained and drawn with.
 *
 * @param where see {@link PretrainedLocation}
 * @example
 * const unet = await modelFromPretrained("google/ddpm-cifar10-32");
 * @throws Error of one line that names the file and what there is not here, or is wrong with it
 */
export async function modelFromPretrained(
  where: PretrainedLocation,
  options: ModelFromPretrainedOptions = {},
): Promise<DiffusionModel> {
  checkOptions("modelFromPretrained", options, {
    ...sourceOptionTypes,
    subfolder: "string",
    variant: "string",
    weights: "string",
  });
  const { subfolder = "" } = options;
  const source = await openSource(where, options);
  return loadModel(source, await readPart(source, subfolder, "config.json"), options);
}

/** A network of a source, whose config has been read. It is made without weights, and filled tensor by tensor. */
export async function loadModel(
  source: Source,
  part: PartConfig,
  { weights = "f32", ...options }: Pick<ModelFromPretrainedOptions, "variant" | "weights" | "signal">,
): Promise<DiffusionModel> {
  const model = storedAs(weights, () => modelOfConfig(part));
  await loadWeights(model, source, part.folder, options);
  return model;
}

/** The network that a config describes, whose parameters are zeros that take no memory yet. */
export function modelOfConfig({ value, where }: Pick<PartConfig, "value" | "where">): DiffusionModel {
  const className = (value as { readonly _class_name?: unknown } | null)?.["_class_name"];
  const row = typeof className === "string" ? architectureOfDiffusers(className) : undefined;
  if (row?.diffusers === undefined) {
    const known = architectureNames().flatMap((name) => architectureNamed(name).diffusers?.name ?? []);
    const got = JSON.stringify(className)?.slice(0, 80) ?? "none";
    throw new Error(`${where}: _class_name must be ${known.join(", ")}, got ${got}`);
  }
  const { diffusers } = row;
  return withoutWeights(() => diffusers.fromConfig(value, where));
}
