import { requireWhole } from "../../nn/validate.ts";

/** The options of guided-diffusion's `create_model`, in camelCase; what is not said of them is as there. */
export interface AdmUnetOptions {
  /** Base width; the time embedding is 4 times as wide. */
  readonly numChannels: number;
  /** Channels of the images; default 3. */
  readonly channels?: number;
  /** Residual blocks of each resolution on the way down; there is one more on the way up. Default 2. */
  readonly numResBlocks?: number;
  /** Width of each resolution in multiples of `numChannels`, from the finest; default [1, 2, 3, 4]. */
  readonly channelMult?: readonly number[];
  /**
   * Where attention takes place, as factors of downsampling: 2 for half of the images' height and width. (That is what
   * `UNetModel` takes; `create_model` divides the image size by its own numbers first.) Default those of 2, 4 and 8 that
   * `channelMult` reaches.
   */
  readonly attentionResolutions?: readonly number[];
  /** Channels of each head; default 64 unless `numHeads` is given, and instead of it. */
  readonly numHeadChannels?: number | undefined;
  /** Heads of every attention. */
  readonly numHeads?: number | undefined;
  /** Heads on the way up, where they are not as many as `numHeads`. */
  readonly numHeadsUpsample?: number | undefined;
  /** Whether the time scales and shifts what is normalized ("adaptive group normalization"), or is added before; default true. */
  readonly useScaleShiftNorm?: boolean;
  /** Whether residual blocks change the resolution, as BigGAN's do; default true. */
  readonly resblockUpdown?: boolean;
  /** Without `resblockUpdown`: whether convolutions go along with changes of resolution; default true. */
  readonly convResample?: boolean;
  /** Number of classes that images may be of; default 0: none. */
  readonly numClasses?: number;
  /** Whether a further row of the class embedding stands for no class; default true. guided-diffusion has none. */
  readonly nullClass?: boolean;
  /** Whether the network also returns what its variance is made of, in twice the channels; default false. */
  readonly learnSigma?: boolean;
  /** Whether the channels of attention are q, k and v and then heads, or heads and then q, k and v, the default. */
  readonly useNewAttentionOrder?: boolean;
  /** Groups of every normalization; default 32. */
  readonly normGroups?: number;
  /** Seed of the initial weights, a whole number below 2^32; default 0. */
  readonly seed?: number;
}

type HeadOptions = "numHeadChannels" | "numHeads" | "numHeadsUpsample";
export type CompleteAdmUnetOptions = Required<Omit<AdmUnetOptions, HeadOptions>> & Pick<AdmUnetOptions, HeadOptions>;

/** All options with their defaults. @throws one line if one is out of range */
export function completeAdmUnetOptions(options: AdmUnetOptions): CompleteAdmUnetOptions {
  const { numChannels, channels = 3, numResBlocks = 2, channelMult = [1, 2, 3, 4], normGroups = 32 } = options;
  const { numHeads, numHeadsUpsample, numClasses = 0 } = options;
  const numHeadChannels = options.numHeadChannels ?? (numHeads === undefined ? 64 : undefined);
  requireWhole("AdmUnet", { numChannels, channels, numResBlocks, normGroups });
  requireWhole("AdmUnet", { numClasses }, 0);
  const heads = Object.entries({ numHeadChannels, numHeads, numHeadsUpsample });
  for (const [name, value] of heads) if (value !== undefined) requireWhole("AdmUnet", { [name]: value });
  if (channelMult.length === 0) throw new Error("AdmUnet: channelMult must name at least one resolution, got []");
  for (const mult of channelMult) {
    const width = widthOf(numChannels, mult);
    if (width > 0 && width % normGroups === 0) continue;
    throw new Error(
      `AdmUnet: channels of every resolution must be divisible by normGroups, got ${mult} x ${numChannels} and ${normGroups}`,
    );
  }
  const factors = channelMult.map((_, level) => 2 ** level);
  const { attentionResolutions = [2, 4, 8].filter((factor) => factors.includes(factor)) } = options;
  for (const factor of attentionResolutions) {
    if (factors.includes(factor)) continue;
    throw new Error(`AdmUnet: attentionResolutions must be among ${factors.join(", ")}, got ${factor}`);
  }
  return {
    numChannels,
    channels,
    numResBlocks,
    channelMult: [...channelMult],
    attentionResolutions: [...attentionResolutions],
    ...(numHeadChannels !== undefined && { numHeadChannels }),
    ...(numHeads !== undefined && { numHeads }),
    ...(numHeadsUpsample !== undefined && { numHeadsUpsample }),
    useScaleShiftNorm: options.useScaleShiftNorm ?? true,
    resblockUpdown: options.resblockUpdown ?? true,
    convResample: options.convResample ?? true,
    numClasses,
    nullClass: options.nullClass ?? true,
    learnSigma: options.learnSigma ?? false,
    useNewAttentionOrder: options.useNewAttentionOrder ?? false,
    normGroups,
    seed: options.seed ?? 0,
  };
}

/** Multiples may be fractions: the widest published model starts with half of its base width. */
export function widthOf(numChannels: number, mult: number): number {
  return Math.floor(numChannels * mult);
}
