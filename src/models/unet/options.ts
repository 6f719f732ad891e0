import * as z from "zod/mini";
import { check, flag, fraction, listOf, oneOf, options, wholeNumber, withDefault } from "../../config/rules.ts";
import { weightStandardizations } from "../../nn/conv2d.ts";
import { modelOptions } from "../model.ts";

export const unetOptions = options({
  ...modelOptions,
  /** Base width in channels, even and at least 4; the time embedding is 4 times as wide. */
  dim: wholeNumber(1, 4096),
  /** Channels after the first convolution; default `dim`. */
  initDim: z.optional(wholeNumber(1)),
  /** Channels of each resolution in multiples of `dim`, from the finest; default [1, 2, 4, 8]. */
  dimMults: withDefault(listOf(wholeNumber(1), 1, 12), [1, 2, 4, 8]),
  /** Also take an earlier estimate of the clean images (Chen et al. 2022, 2208.04202); default false. */
  selfCondition: withDefault(flag(), false),
  /** Also take the images in less resolution, as a stage of a cascade does (Ho et al. 2021, 2106.15282); default false. */
  lowresCond: withDefault(flag(), false),
  /** Length of the vectors that images may be described by; default 0: none. */
  vectorDim: withDefault(wholeNumber(0), 0),
  /** Channels of the sequences, such as a text's, that attention may look at; default 0: none. */
  contextDim: withDefault(wholeNumber(0), 0),
  /** Groups of the group normalizations in the ResNet blocks; default 4. */
  resnetBlockGroups: withDefault(wholeNumber(1), 4),
  /** Heads of every attention layer; default 4. */
  attentionHeads: withDefault(wholeNumber(1, 256), 4),
  /** Channels per attention head; default 32. */
  attentionDimHead: withDefault(wholeNumber(1, 1024), 32),
  /** Default `standardized`; `printed` runs weights trained with the code of "The Annotated Diffusion Model". */
  weightStandardization: withDefault(oneOf(weightStandardizations), "standardized"),
  /** Share of the values that the first half of each ResNet block drops in training (see {@link Dropout}); default 0. */
  dropout: withDefault(fraction(), 0),
});

export interface UnetOptions extends Readonly<z.input<typeof unetOptions>> {}

/** All options of a U-Net. */
export interface CompleteUnetOptions extends Readonly<z.output<typeof unetOptions>> {
  readonly initDim: number;
  readonly outDim: number;
}

/** The options of a network with all defaults. @throws one line that names the network if one is out of range */
export function completeUnetOptions(layer: string, given: UnetOptions): CompleteUnetOptions {
  const complete = check(unetOptions, given, layer);
  const { dim, dimMults, initDim = dim, outDim = complete.channels, resnetBlockGroups } = complete;
  if (dim < 4 || dim % 2 !== 0) throw new Error(`${layer}: dim must be even and at least 4, got ${dim}`);
  for (const width of [initDim, dim, ...dimMults.map((mult) => dim * mult)]) {
    if (width % resnetBlockGroups === 0) continue;
    throw new Error(
      `${layer}: channels of every resolution must be divisible by resnetBlockGroups, got ${width} and ${resnetBlockGroups}`,
    );
  }
  return { ...complete, initDim, outDim };
}
