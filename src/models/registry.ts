import * as z from "zod/mini";
import { check } from "../config/rules.ts";
import { AdmUnet } from "./adm/adm-unet.ts";
import { admUnetOptions } from "./adm/options.ts";
import { DiT } from "./dit/dit.ts";
import { ditOptions } from "./dit/options.ts";
import type { DiffusionModel, ModelOptions } from "./model.ts";
import type { DiffusersConfig } from "./unet-2d/config.ts";
import { unet2DOptions } from "./unet-2d/options.ts";
import { UNet2DModel } from "./unet-2d/unet-2d-model.ts";
import { UnetClassifier } from "./unet/classifier.ts";
import { unetOptions } from "./unet/options.ts";
import { Unet } from "./unet/unet.ts";

/** A kind of network, by which checkpoints, the trainer and the command line know it. */
export interface Architecture<Options extends ModelOptions = ModelOptions> {
  /** As checkpoints and `--model` name it. */
  readonly name: string;
  /** What it is called, for people. */
  readonly title: string;
  /** The rules of its options, those of {@link ModelOptions} among them, with defaults. */
  readonly options: z.ZodMiniType<Options>;
  /** Options that a run may change when it goes on from a checkpoint; the seed always may. */
  readonly adjustable?: readonly string[];
  /** How diffusers keeps its networks, where it has them too. */
  readonly diffusers?: DiffusersClass;
  /** A network with the weights of its seed. @throws one line, if options do not go together */
  create(options: Options): DiffusionModel;
}

/** A class of diffusers whose folders hold networks of an architecture. */
export interface DiffusersClass {
  /** As `_class_name` has it. */
  readonly name: string;
  /**
   * The network of a `config.json`, with weights of its own.
   *
   * @param where what the config is, for messages
   * @throws one line that names the field and its value, if it asks for what there is not here
   */
  fromConfig(json: unknown, where: string): DiffusionModel;
  toConfig(model: DiffusionModel): DiffusersConfig;
}

/** A row for each architecture. */
const architectures = new Map<string, Architecture>();

function addRow<Options extends ModelOptions>(row: Architecture<Options>): void {
  architectures.set(row.name, row);
}

addRow({
  name: "unet",
  title: "U-Net",
  options: unetOptions,
  adjustable: ["dropout"],
  create: (options) => new Unet(options),
});
addRow({
  name: "unetClassifier",
  title: "classifier",
  options: unetOptions,
  adjustable: ["dropout"],
  create: (options) => new UnetClassifier(options),
});
addRow({
  name: "adm",
  title: "U-Net of ADM",
  options: admUnetOptions,
  adjustable: ["dropout"],
  create: (options) => new AdmUnet(options),
});
addRow({ name: "dit", title: "DiT", options: ditOptions, create: (options) => new DiT(options) });
addRow({
  name: "unet2d",
  title: "UNet2DModel",
  options: unet2DOptions,
  adjustable: ["dropout"],
  diffusers: {
    name: "UNet2DModel",
    fromConfig: (json, where) => UNet2DModel.fromConfig(json, where),
    toConfig: (model) => (model as UNet2DModel).toConfig(),
  },
  create: (options) => new UNet2DModel(options),
});

/**
 * Makes an architecture of your own known, so that checkpoints of its networks can be read.
 *
 * @example
 * registerModel({ name: "tiny", title: "tiny network", options: tinyOptions, create: (options) => new Tiny(options) });
 * @throws one line, if there is one of that name
 */
export function registerModel<Options extends ModelOptions>(architecture: Architecture<Options>): void {
  const { name } = architecture;
  if (architectures.has(name)) throw new Error(`registerModel: there is an architecture ${name} already`);
  addRow(architecture);
}

export function architectureNames(): string[] {
  return [...architectures.keys()];
}

/** @throws one line that lists the architectures if there is none of this name */
export function architectureNamed(name: string): Architecture {
  const row = architectures.get(name);
  if (row) return row;
  throw new Error(`architecture must be one of ${architectureNames().join(", ")}, got ${name}`);
}

/** The architecture whose networks diffusers keeps as this class, if there is one. */
export function architectureOfDiffusers(className: string): Architecture | undefined {
  return [...architectures.values()].find(({ diffusers }) => diffusers?.name === className);
}

/** A network of an architecture, with the weights of its seed. @throws one line, if an option is not as it should be */
export function newModel(architecture: string, options: Readonly<Record<string, unknown>>): DiffusionModel {
  const row = architectureNamed(architecture);
  return row.create(check(row.options, options, row.name));
}

/** A network with the same options, and the weights of its seed. */
export function modelLike<Model extends DiffusionModel>(model: Model): Model {
  return architectureNamed(model.architecture).create(model.options) as Model;
}

/** A network with the same options and a copy of the weights. */
export async function cloneModel<Model extends DiffusionModel>(model: Model): Promise<Model> {
  const copy = modelLike(model);
  await copy.loadStateDict(await model.stateDict());
  return copy;
}

/** A network as data: the name of its architecture and all of its options. */
export type ModelConfig = ModelOptions & { readonly architecture: string } & Readonly<Record<string, unknown>>;

export function modelConfigOf({ architecture, options }: DiffusionModel): ModelConfig {
  return { architecture, ...options };
}

/** What a file says of a network; one without an architecture is of the time before there were several. */
export const modelConfig: z.ZodMiniType<ModelConfig, Readonly<Record<string, unknown>>> = z.pipe(
  z.looseObject({ architecture: z.optional(z.string()) }),
  z.transform(({ architecture = "unet", ...given }, context): ModelConfig => {
    const row = architectures.get(architecture);
    if (!row) {
      const known = architectureNames().join(", ");
      context.issues.push(fault(given, ["architecture"], `must be one of ${known}, got ${architecture}`));
      return z.NEVER;
    }
    const { success, data, error } = z.safeParse(row.options, given);
    if (success) return { architecture, ...data };
    for (const { path, message } of error.issues) context.issues.push(fault(given, path, message));
    return z.NEVER;
  }),
);

function fault(input: unknown, path: readonly PropertyKey[], message: string): z.core.$ZodRawIssue {
  return { code: "custom", input, path: [...path], message };
}
