import * as z from "zod/mini";
import {
  check,
  flag,
  fraction,
  listOf,
  options,
  positiveNumber,
  wholeNumber,
  withDefault,
} from "../../config/rules.ts";
import { modelOptions } from "../model.ts";

/** The options of guided-diffusion's `create_model`, in camelCase; its `learn_sigma` is an `outDim` of twice the channels. */
export const admUnetOptions = options({
  ...modelOptions,
  /** Base width; the time embedding is 4 times as wide. */
  numChannels: wholeNumber(2, 4096),
  /** Residual blocks of each resolution on the way down; there is one more on the way up. */
  numResBlocks: withDefault(wholeNumber(1, 64), 2),
  /** Width of each resolution in multiples of `numChannels`, from the finest; 0.5 will do too. */
  channelMult: withDefault(listOf(positiveNumber(), 1, 12), [1, 2, 3, 4]),
  /**
   * Where attention takes place, as factors of downsampling: 2 for half of the images' height and width. (That is what
   * `UNetModel` takes; `create_model` divides the image size by its own numbers first.) Default those of 2, 4 and 8 that
   * `channelMult` reaches.
   */
  attentionResolutions: z.optional(listOf(wholeNumber(1), 0, 12)),
  /** Channels of each head of attention, instead of `numHeads`; default 64 unless `numHeads` is given. */
  numHeadChannels: z.optional(wholeNumber(1, 4096)),
  /** Heads of every attention. */
  numHeads: z.optional(wholeNumber(1, 256)),
  /** Heads on the way up, where they are not as many as `numHeads`. */
  numHeadsUpsample: z.optional(wholeNumber(1, 256)),
  /** Whether the time scales and shifts what is normalized ("adaptive group normalization"), or is added before. */
  useScaleShiftNorm: withDefault(flag(), true),
  /** Whether residual blocks change the resolution, as BigGAN's do. */
  resblockUpdown: withDefault(flag(), true),
  /** Without `resblockUpdown`: whether convolutions go along with changes of resolution. */
  convResample: withDefault(flag(), true),
  /** Share of values that residual blocks leave out in training. */
  dropout: withDefault(fraction(), 0),
  /** Whether a further row of the class embedding stands for no class; guided-diffusion has none. */
  nullClass: withDefault(flag(), true),
  /** Whether the channels of attention are q, k and v and then heads, instead of heads and then q, k and v. */
  useNewAttentionOrder: withDefault(flag(), false),
  /** Groups of every normalization. */
  normGroups: withDefault(wholeNumber(1), 32),
});

export interface AdmUnetOptions extends Readonly<z.input<typeof admUnetOptions>> {}

/** All options of ADM's U-Net. */
export interface CompleteAdmUnetOptions extends Readonly<z.output<typeof admUnetOptions>> {
  readonly outDim: number;
  readonly attentionResolutions: readonly number[];
}

/** All options with their defaults. @throws one line if one is out of range */
export function completeAdmUnetOptions(given: AdmUnetOptions): CompleteAdmUnetOptions {
  const complete = check(admUnetOptions, given, "AdmUnet");
  const { numChannels, channelMult, normGroups, numHeads, outDim = complete.channels } = complete;
  for (const mult of channelMult) {
    const width = widthOf(numChannels, mult);
    if (width > 0 && width % normGroups === 0) continue;
    throw new Error(
      `AdmUnet: channels of every resolution must be divisible by normGroups, got ${mult} x ${numChannels} and ${normGroups}`,
    );
  }
  const factors = channelMult.map((_, level) => 2 ** level);
  const { attentionResolutions = [2, 4, 8].filter((factor) => factors.includes(factor)) } = complete;
  const beyond = attentionResolutions.find((factor) => !factors.includes(factor));
  if (beyond !== undefined) {
    throw new Error(`AdmUnet: attentionResolutions must be among ${factors.join(", ")}, got ${beyond}`);
  }
  const { numHeadChannels = numHeads === undefined ? 64 : undefined } = complete;
  return { ...complete, outDim, attentionResolutions, ...(numHeadChannels !== undefined && { numHeadChannels }) };
}

/** Multiples may be fractions: the widest published model starts with half of its base width. */
export function widthOf(numChannels: number, mult: number): number {
  return Math.floor(numChannels * mult);
}
