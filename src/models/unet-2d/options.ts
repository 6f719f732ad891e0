import * as z from "zod/mini";
import { imageSizeRule } from "../../config/image-size.ts";
import {
  check,
  flag,
  fraction,
  listOf,
  numberWithin,
  oneOf,
  options,
  positiveNumber,
  wholeNumber,
  withDefault,
} from "../../config/rules.ts";
import { modelOptions } from "../model.ts";
import { activationNames } from "./activation.ts";

export const downBlockTypes = ["DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"] as const;
export const upBlockTypes = ["UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"] as const;
const resamplingTypes = ["conv", "resnet"] as const;

/** The arguments of diffusers' `UNet2DModel` in camelCase and with its defaults, but for those that every network has. */
export const ownOptions = {
  /** One side of the images that it was made for, or [height, width]; what pipelines draw unless they are told. */
  sampleSize: withDefault(z.nullable(imageSizeRule), null),
  /** Whether images are from 0 to 1 and have to become 2x - 1. */
  centerInputSample: withDefault(flag(), false),
  /** What the time is turned into first: sines of the timestep, sines of its logarithm, or a learned row. */
  timeEmbeddingType: withDefault(oneOf(["positional", "fourier", "learned"]), "positional"),
  /** Width of the time embedding; null for 4 times the first of `blockOutChannels`. */
  timeEmbeddingDim: withDefault(z.nullable(wholeNumber(1, 65_536)), null),
  /** `freqShift` of {@link timestepEmbedding}. */
  freqShift: withDefault(numberWithin(-4096, 4096), 0),
  /** `flipSinToCos` of {@link timestepEmbedding}. */
  flipSinToCos: withDefault(flag(), true),
  /** Blocks from the finest resolution to the coarsest; all but the last halve height and width. */
  downBlockTypes: withDefault(listOf(oneOf(downBlockTypes), 1, 12), [
    "DownBlock2D",
    "AttnDownBlock2D",
    "AttnDownBlock2D",
    "AttnDownBlock2D",
  ]),
  /** null for none. */
  midBlockType: withDefault(z.nullable(oneOf(["UNetMidBlock2D"])), "UNetMidBlock2D"),
  /** Blocks from the coarsest resolution to the finest; all but the last double height and width. */
  upBlockTypes: withDefault(listOf(oneOf(upBlockTypes), 1, 12), [
    "AttnUpBlock2D",
    "AttnUpBlock2D",
    "AttnUpBlock2D",
    "UpBlock2D",
  ]),
  /** Channels of each resolution, from the finest. */
  blockOutChannels: withDefault(listOf(wholeNumber(1, 65_536), 1, 12), [224, 448, 672, 896]),
  /** Residual blocks of each resolution on the way down; there is one more on the way up. */
  layersPerBlock: withDefault(wholeNumber(1, 64), 2),
  /** What the middle block's sums of a branch and its input are divided by. */
  midBlockScaleFactor: withDefault(positiveNumber(), 1),
  /** Zeros around images before a convolution halves them; 0 for zeros at the right and below only. */
  downsamplePadding: withDefault(wholeNumber(0, 1), 1),
  /** How blocks with attention halve: by a convolution, or by a residual block between means of pixels. */
  downsampleType: withDefault(oneOf(resamplingTypes), "conv"),
  /** How blocks with attention double. */
  upsampleType: withDefault(oneOf(resamplingTypes), "conv"),
  /** Share of values that residual blocks leave out in training. */
  dropout: withDefault(fraction(), 0),
  /** Activation of residual blocks. */
  actFn: withDefault(oneOf(activationNames), "silu"),
  /** Channels of each head of attention; null for one head. */
  attentionHeadDim: withDefault(z.nullable(wholeNumber(1, 65_536)), 8),
  /** Groups of the normalizations. */
  normNumGroups: withDefault(wholeNumber(1, 65_536), 32),
  /** Groups of the middle attention's; null for `normNumGroups`, or for no normalization with `scale_shift`. */
  attnNormNumGroups: withDefault(z.nullable(wholeNumber(1, 65_536)), null),
  /** What normalizations add to variances. */
  normEps: withDefault(positiveNumber(), 1e-5),
  /** Whether the time is added before the second normalization of a residual block, or scales and shifts after it. */
  resnetTimeScaleShift: withDefault(oneOf(["default", "scale_shift"]), "default"),
  /** Whether the middle block has attention. */
  addAttention: withDefault(flag(), true),
  /**
   * What images are told besides: their classes, each with a learned row, where it is null and there are `numClasses`;
   * whole numbers that are embedded as timesteps are; or vectors as wide as the time embedding.
   */
  classEmbedType: withDefault(z.nullable(oneOf(["timestep", "identity"])), null),
  /** Whether a further row of the learned ones stands for no class, which guidance needs; diffusers counts it as a class. */
  nullClass: withDefault(flag(), false),
  /** Rows of learned time embeddings. */
  numTrainTimesteps: withDefault(z.nullable(wholeNumber(1, 10_000_000)), null),
};

export const unet2DOptions = options({ ...modelOptions, ...ownOptions });

export interface UNet2DModelOptions extends Readonly<z.input<typeof unet2DOptions>> {}

/** All options of a UNet2DModel. */
export interface CompleteUNet2DModelOptions extends Readonly<z.output<typeof unet2DOptions>> {
  readonly outDim: number;
}

/** All options with their defaults. @throws one line if one is out of range or does not go with the others */
export function completeUNet2DModelOptions(given: UNet2DModelOptions): CompleteUNet2DModelOptions {
  const checked = check(unet2DOptions, given, "UNet2DModel");
  const complete = { ...checked, outDim: checked.outDim ?? checked.channels };
  const fault = disagreement(complete);
  if (fault !== undefined) throw new Error(`UNet2DModel: ${fault}`);
  return complete;
}

/** Width of the time embedding. */
export function timeEmbeddingWidth({ timeEmbeddingDim, blockOutChannels }: CompleteUNet2DModelOptions): number {
  return timeEmbeddingDim ?? 4 * blockOutChannels[0];
}

/**
 * Why options do not go together, if they do not.
 *
 * @param nameOf what an option is called where it comes from
 */
export function disagreement(
  options: CompleteUNet2DModelOptions,
  nameOf: (option: keyof CompleteUNet2DModelOptions) => string = (option) => option,
): string | undefined {
  const { blockOutChannels, normNumGroups, attnNormNumGroups } = options;
  for (const name of ["downBlockTypes", "upBlockTypes"] as const) {
    if (options[name].length === blockOutChannels.length) continue;
    const needed = `must have as many entries as ${nameOf("blockOutChannels")}, ${blockOutChannels.length}`;
    return `${nameOf(name)} ${needed}, got ${options[name].length}`;
  }
  const ungrouped = blockOutChannels.find((width) => width % normNumGroups !== 0);
  if (ungrouped !== undefined) {
    const needed = `must be divisible by ${nameOf("normNumGroups")}`;
    return `${nameOf("blockOutChannels")} ${needed}, got ${ungrouped} and ${normNumGroups}`;
  }
  const deepest = blockOutChannels[blockOutChannels.length - 1];
  if (attnNormNumGroups !== null && hasMidAttention(options) && deepest % attnNormNumGroups !== 0) {
    return `${nameOf("attnNormNumGroups")} must divide the last channels, ${deepest}, got ${attnNormNumGroups}`;
  }
  return headsFault(options, nameOf) ?? timeFault(options, nameOf);
}

function headsFault(
  options: CompleteUNet2DModelOptions,
  nameOf: (option: keyof CompleteUNet2DModelOptions) => string,
): string | undefined {
  const { blockOutChannels, attentionHeadDim } = options;
  const last = blockOutChannels.length - 1;
  const narrow = blockOutChannels.find((width, i) => {
    const isLooking =
      options.downBlockTypes[i] === "AttnDownBlock2D" ||
      options.upBlockTypes[last - i] === "AttnUpBlock2D" ||
      (i === last && hasMidAttention(options));
    return isLooking && width < (attentionHeadDim ?? 1);
  });
  if (narrow === undefined) return undefined;
  return `${nameOf("attentionHeadDim")} must be at most the channels of every attention, ${narrow}, got ${attentionHeadDim}`;
}

function timeFault(
  options: CompleteUNet2DModelOptions,
  nameOf: (option: keyof CompleteUNet2DModelOptions) => string,
): string | undefined {
  const { blockOutChannels, timeEmbeddingType, freqShift, numTrainTimesteps } = options;
  const [width] = blockOutChannels;
  if (timeEmbeddingType === "learned" && numTrainTimesteps === null) {
    return `${nameOf("numTrainTimesteps")} must be given with ${nameOf("timeEmbeddingType")} learned, got null`;
  }
  if (timeEmbeddingType === "positional" && width < 2) {
    return `${nameOf("blockOutChannels")} must begin with at least 2 for ${nameOf("timeEmbeddingType")} positional, got ${width}`;
  }
  if (timeEmbeddingType === "positional" && freqShift >= Math.floor(width / 2)) {
    return `${nameOf("freqShift")} must be below half of the first channels, ${width / 2}, got ${freqShift}`;
  }
  return undefined;
}

function hasMidAttention({ midBlockType, addAttention }: CompleteUNet2DModelOptions): boolean {
  return midBlockType !== null && addAttention;
}
