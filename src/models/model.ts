import * as z from "zod/mini";
import { wholeNumber, withDefault } from "../config/rules.ts";
import type { Module } from "../nn/module/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ConditionDeclarations, Conditions } from "./conditions/declaration.ts";

/** Options that networks of all architectures have; those of one are these and its own. */
export const modelOptions = {
  /** Channels of the images: 1 for gray, 3 for colour. */
  channels: withDefault(wholeNumber(1), 3),
  /** Channels of the result; without it as many as the images have. A variance that is learned doubles them. */
  outDim: z.optional(wholeNumber(1)),
  /** Number of classes that images may be of; 0 for a network that knows none. */
  numClasses: withDefault(wholeNumber(0), 0),
  /** Seed of the initial weights. */
  seed: withDefault(wholeNumber(0, 2 ** 32 - 1), 0),
};

export type ModelOptions = z.output<z.ZodMiniObject<typeof modelOptions>>;

/**
 * A network that can be trained and kept: it looks at noisy images [batch, height, width, channels] and their times
 * [batch], and predicts something of them. A class that implements it becomes an architecture by a row of the registry.
 */
export interface DiffusionModel extends Module {
  /** Its architecture's name in the registry. */
  readonly architecture: string;
  /** All of its options, as JSON has them: the architecture makes the same network of them again. */
  readonly options: ModelOptions;
  /** Channels of the images that it takes. */
  readonly channels: number;
  readonly numClasses: number;
  /**
   * `images`: the objective of a diffusion, shaped as the images but of `outDim` channels, the objective's first; `classes`:
   * logits [batch, numClasses].
   */
  readonly predicts: "images" | "classes";
  /** What it may be told of the images besides, by name; all of it may be left out. */
  readonly conditions: ConditionDeclarations;
  /** @param time timesteps or other numbers of the noise, i32 or f32 [batch] */
  forward(x: Tensor, time: Tensor, conditions?: Conditions): Tensor;
}
