import * as z from "zod/mini";
import { check, options, shown, wholeNumber, withDefault } from "../../config/rules.ts";
import { completeUNet2DModelOptions, disagreement, ownOptions } from "./options.ts";
import type { CompleteUNet2DModelOptions, UNet2DModelOptions } from "./options.ts";

/** The version of diffusers whose fields and defaults these are. */
const DIFFUSERS_VERSION = "0.42.1";

/** A `config.json` as diffusers writes one. */
export type DiffusersConfig = Readonly<Record<string, unknown>> & { readonly _class_name: string };

/** Options with a name of their own in diffusers; the others are in snake_case there. */
const renamed: Readonly<Record<string, string>> = {
  channels: "in_channels",
  outDim: "out_channels",
  numClasses: "num_class_embeds",
};

/** What has no place in diffusers' config. */
const { nullClass: _, ...shared } = ownOptions;

const fields = {
  in_channels: withDefault(wholeNumber(1), 3),
  out_channels: withDefault(wholeNumber(1), 3),
  num_class_embeds: withDefault(z.nullable(wholeNumber(1)), null),
  ...Object.fromEntries(Object.entries(shared).map(([option, rule]) => [fieldOf(option), rule])),
};

const config = options(fields);

const anyObject = z.looseObject({}, { error: ({ input }) => `must be an object, got ${shown(input)}` });

/** What `EMAModel` writes beside a model's own fields, and what diffusers itself takes no notice of. */
const averageFields = new Set(
  "decay inv_gamma min_decay optimization_step power update_after_step use_ema_warmup".split(" "),
);

/**
 * The options of a diffusers config.
 *
 * @param where what the config is, for messages: `unet/config.json`
 * @throws one line that names the field and its value, if it is not of a UNet2DModel or asks for what there is not here
 */
export function optionsOfConfig(json: unknown, where: string): UNet2DModelOptions {
  const { _class_name: className = "UNet2DModel", ...given } = check(anyObject, json, where);
  if (className !== "UNet2DModel")
    throw new Error(`${where}: _class_name must be UNet2DModel, got ${shown(className)}`);
  const known = Object.fromEntries(
    Object.entries(given)
      .filter(([field]) => !field.startsWith("_") && !averageFields.has(field))
      .map(([field, value]) => [field, field.endsWith("_block_types") ? withoutPrefix(value) : value]),
  );
  const unknown = Object.keys(known).find((field) => !Object.hasOwn(fields, field));
  if (unknown !== undefined) {
    throw new Error(`${where}: ${unknown} is not supported, got ${shown(known[unknown])}`);
  }
  const checked: Readonly<Record<string, unknown>> = check(config, known, where);
  const byOption = Object.fromEntries(
    ["channels", "outDim", ...Object.keys(shared)].map((option) => [option, checked[fieldOf(option)]]),
  );
  const found = { ...byOption, numClasses: checked.num_class_embeds ?? 0 } as UNet2DModelOptions;
  // Once more under the names of the config, as completing them would use the options'.
  const fault = disagreement(found as CompleteUNet2DModelOptions, fieldOf);
  if (fault !== undefined) throw new Error(`${where}: ${fault}`);
  return completeUNet2DModelOptions(found);
}

/** All fields of the config, in the order of their names as diffusers writes them. */
export function configOfOptions(options: CompleteUNet2DModelOptions): DiffusersConfig {
  const { numClasses, nullClass, classEmbedType } = options;
  const values: Readonly<Record<string, unknown>> = {
    ...options,
    numClasses: numClasses > 0 ? numClasses + Number(nullClass && classEmbedType === null) : null,
  };
  const entries = [...Object.keys(renamed), ...Object.keys(shared)].map((option) => [fieldOf(option), values[option]]);
  return {
    _class_name: "UNet2DModel",
    _diffusers_version: DIFFUSERS_VERSION,
    ...(Object.fromEntries(entries.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))) as Readonly<
      Record<string, unknown>
    >),
  };
}

/** attentionHeadDim -> attention_head_dim */
function fieldOf(option: string): string {
  return renamed[option] ?? option.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Block types once had one. */
function withoutPrefix(types: unknown): unknown {
  return Array.isArray(types)
    ? types.map((type: unknown) => (typeof type === "string" ? type.replace(/^UNetRes/, "") : type))
    : types;
}
