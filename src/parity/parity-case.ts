import * as z from "zod/mini";
import type { Safetensors } from "../io/safetensors/safetensors.ts";
import { toFloat32 } from "../io/safetensors/safetensors.ts";
import type { WeightStandardization } from "../nn/conv2d.ts";
import { Unet } from "../models/unet/unet.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { check, withDefault } from "../config/rules.ts";
import { nchwToNhwc } from "./layout.ts";

/** The files of one case, read: meta.json, unet.safetensors and unet_io.safetensors. */
export interface ParityFiles {
  /** What the case is called in reports, such as its directory. */
  readonly name: string;
  readonly meta: unknown;
  readonly weights: Safetensors;
  readonly io: Safetensors;
}

export const variants: readonly WeightStandardization[] = ["standardized", "printed"];

const config = z.object({
  dim: z.int(),
  channels: z.int(),
  dim_mults: z.array(z.int()),
  self_condition: withDefault(z.boolean(), false),
  resnet_block_groups: withDefault(z.int(), 4),
});

/** What meta.json says of a variant, each under a key of its own: "printed.loss.l1". */
const variantMeta = z.object({
  "loss.l1": z.number(),
  "loss.l2": z.number(),
  "loss.huber": z.number(),
  gradnorm: z.record(z.string(), z.number()),
  adam_losses: z.array(z.number()).check(z.minLength(1)),
});

export type VariantMeta = z.infer<typeof variantMeta>;

/** What PyTorch computed in one case. Images are turned to [batch, height, width, channels]. */
export class ParityCase {
  readonly name: string;
  readonly parameterCount: number;
  readonly #files: ParityFiles;
  readonly #config: z.infer<typeof config>;
  readonly #meta: Readonly<Record<string, unknown>>;

  constructor(files: ParityFiles) {
    this.name = files.name;
    this.#files = files;
    const meta = check(z.looseObject({ config, parameters: z.int() }), files.meta, `${files.name}: meta.json`);
    this.parameterCount = meta.parameters;
    this.#config = meta.config;
    this.#meta = meta;
  }

  /** A model with the case's options and weights. */
  async model(weightStandardization: WeightStandardization): Promise<Unet> {
    const { dim, channels, dim_mults: dimMults, self_condition: selfCondition } = this.#config;
    const resnetBlockGroups = this.#config.resnet_block_groups;
    const model = new Unet({ dim, channels, dimMults, selfCondition, resnetBlockGroups, weightStandardization });
    const weights = [...this.#files.weights.tensors].map(([name, tensor]) => {
      const data = Float32Array.from(toFloat32(tensor));
      return [name, { shape: tensor.shape, dtype: "f32", data }] as const;
    });
    await model.loadStateDict(new Map(weights), `${this.name}: unet.safetensors`);
    return model;
  }

  expected(variant: WeightStandardization): VariantMeta {
    const keys = Object.keys(variantMeta.shape);
    const values = Object.fromEntries(keys.map((key) => [key, this.#meta[`${variant}.${key}`]]));
    return check(variantMeta, values, `${this.name}: meta.json: ${variant}`);
  }

  /** A tensor of unet_io.safetensors as it is. */
  tensor(name: string): NdArray {
    const tensor = this.#files.io.tensors.get(name);
    if (!tensor) throw new Error(`${this.name}: unet_io.safetensors has no tensor "${name}"`);
    return { shape: tensor.shape, dtype: "f32", data: Float32Array.from(toFloat32(tensor)) };
  }

  images(name: string): NdArray {
    return nchwToNhwc(this.tensor(name));
  }

  timesteps(): NdArray {
    const { shape, data } = this.tensor("t");
    return { shape, dtype: "i32", data: Int32Array.from(data) };
  }

  /** The gradients that were recorded in full, by parameter. */
  gradients(variant: WeightStandardization): Map<string, NdArray> {
    const prefix = `${variant}.grad.`;
    const names = [...this.#files.io.tensors.keys()].filter((name) => name.startsWith(prefix));
    return new Map(names.map((name) => [name.slice(prefix.length), this.tensor(name)]));
  }
}
