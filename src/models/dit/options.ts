import type * as z from "zod/mini";
import { check, flag, options, positiveNumber, wholeNumber, withDefault } from "../../config/rules.ts";
import { modelOptions } from "../model.ts";

/** The options of the authors' `DiT`, in camelCase; their `learn_sigma` is an `outDim` of twice the channels. */
export const ditOptions = options({
  ...modelOptions,
  /** Side of the square patches that images are cut into. */
  patchSize: withDefault(wholeNumber(1, 256), 2),
  /** Channels of each token, divisible by 4 and by `numHeads`. */
  hiddenSize: wholeNumber(4, 65_536),
  /** Number of transformer blocks. */
  depth: wholeNumber(1, 1024),
  numHeads: wholeNumber(1, 1024),
  /** Hidden channels of each block's MLP in multiples of `hiddenSize`. */
  mlpRatio: withDefault(positiveNumber(), 4),
  /** Whether a further row of the class embedding stands for no class, as with the authors' `class_dropout_prob`. */
  nullClass: withDefault(flag(), true),
});

export interface DiTOptions extends Readonly<z.input<typeof ditOptions>> {}

/** All options of a DiT. */
export interface CompleteDiTOptions extends Readonly<z.output<typeof ditOptions>> {
  readonly outDim: number;
}

/** The sizes of table 1 of Peebles & Xie (2022); DiT-XL/2 is `{ ...ditSizes.XL, patchSize: 2 }`. */
export const ditSizes = {
  S: { depth: 12, hiddenSize: 384, numHeads: 6 },
  B: { depth: 12, hiddenSize: 768, numHeads: 12 },
  L: { depth: 24, hiddenSize: 1024, numHeads: 16 },
  XL: { depth: 28, hiddenSize: 1152, numHeads: 16 },
} as const satisfies Readonly<Record<string, DiTOptions>>;

/** All options with their defaults. @throws one line if one is out of range */
export function completeDiTOptions(given: DiTOptions): CompleteDiTOptions {
  const complete = check(ditOptions, given, "DiT");
  const { hiddenSize, numHeads, mlpRatio, outDim = complete.channels } = complete;
  if (hiddenSize % 4 !== 0) throw new Error(`DiT: hiddenSize must be divisible by 4, got ${hiddenSize}`);
  if (hiddenSize % numHeads !== 0) {
    throw new Error(`DiT: hiddenSize must be divisible by numHeads, got ${hiddenSize} and ${numHeads}`);
  }
  if (hiddenSize * mlpRatio < 1) {
    throw new Error(`DiT: mlpRatio must give the MLP at least one channel, got ${mlpRatio}`);
  }
  return { ...complete, outDim };
}
