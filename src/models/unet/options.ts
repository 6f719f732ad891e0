import type { WeightStandardization } from "../../nn/conv2d.ts";
import { requireWhole } from "../../nn/validate.ts";

export interface UnetOptions {
  /** Base width in channels, even and at least 4; the time embedding is 4 times as wide. */
  readonly dim: number;
  /** Channels after the first convolution; default `dim`. */
  readonly initDim?: number;
  /** Channels of the result; default `channels`. */
  readonly outDim?: number;
  /** Channels of each resolution in multiples of `dim`, from the finest; default [1, 2, 4, 8]. */
  readonly dimMults?: readonly number[];
  /** Channels of the images: 1 for gray, 3 (the default) for colour. */
  readonly channels?: number;
  /** Also take an earlier estimate of the clean images (Chen et al. 2022, 2208.04202); default false. */
  readonly selfCondition?: boolean;
  /** Also take the images in less resolution, as a stage of a cascade does (Ho et al. 2021, 2106.15282); default false. */
  readonly lowresCond?: boolean;
  /** Number of classes that images may be of, for a class-conditional model; default 0: none. */
  readonly numClasses?: number;
  /** Length of the vectors that images may be described by; default 0: none. */
  readonly vectorDim?: number;
  /** Channels of the sequences, such as a text's, that attention may look at; default 0: none. */
  readonly contextDim?: number;
  /** Groups of the group normalizations in the ResNet blocks; default 4. */
  readonly resnetBlockGroups?: number;
  /** Heads of every attention layer; default 4. */
  readonly attentionHeads?: number;
  /** Channels per attention head; default 32. */
  readonly attentionDimHead?: number;
  /** Default `standardized`; `printed` runs weights trained with the code of "The Annotated Diffusion Model". */
  readonly weightStandardization?: WeightStandardization;
  /** Seed of the initial weights, a whole number below 2^32; default 0. */
  readonly seed?: number;
}

/** The options of a network with all defaults. @throws one line that names the network if one is out of range */
export function completeUnetOptions(layer: string, options: UnetOptions): Required<UnetOptions> {
  const { dim, dimMults = [1, 2, 4, 8], channels = 3 } = options;
  const {
    initDim = dim,
    outDim = channels,
    resnetBlockGroups = 4,
    attentionHeads = 4,
    attentionDimHead = 32,
    numClasses = 0,
    vectorDim = 0,
    contextDim = 0,
  } = options;
  requireWhole(layer, { dim, channels, initDim, outDim, resnetBlockGroups, attentionHeads, attentionDimHead });
  requireWhole(layer, { numClasses, vectorDim, contextDim }, 0);
  if (dim < 4 || dim % 2 !== 0) throw new Error(`${layer}: dim must be even and at least 4, got ${dim}`);
  if (dimMults.length === 0) throw new Error(`${layer}: dimMults must name at least one resolution, got []`);
  for (const [i, mult] of dimMults.entries()) requireWhole(layer, { [`dimMults[${i}]`]: mult });
  for (const width of [initDim, dim, ...dimMults.map((mult) => dim * mult)]) {
    if (width % resnetBlockGroups === 0) continue;
    throw new Error(
      `${layer}: channels of every resolution must be divisible by resnetBlockGroups, got ${width} and ${resnetBlockGroups}`,
    );
  }
  return {
    dim,
    initDim,
    outDim,
    dimMults: [...dimMults],
    channels,
    selfCondition: options.selfCondition ?? false,
    lowresCond: options.lowresCond ?? false,
    numClasses,
    vectorDim,
    contextDim,
    resnetBlockGroups,
    attentionHeads,
    attentionDimHead,
    weightStandardization: options.weightStandardization ?? "standardized",
    seed: options.seed ?? 0,
  };
}
