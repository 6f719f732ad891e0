import { requireWhole } from "../../nn/validate.ts";

/** The options of the authors' `DiT`, in camelCase. The image size is free: it comes with the images. */
export interface DiTOptions {
  /** Side of the square patches that images are cut into; default 2. */
  readonly patchSize?: number;
  /** Channels of the images, or of the latents of an autoencoder; default 3. */
  readonly channels?: number;
  /** Channels of each token, divisible by 4 and by `numHeads`. */
  readonly hiddenSize: number;
  /** Number of transformer blocks. */
  readonly depth: number;
  readonly numHeads: number;
  /** Hidden channels of each block's MLP in multiples of `hiddenSize`; default 4. */
  readonly mlpRatio?: number;
  /** Number of classes that images may be of; default 0: none. */
  readonly numClasses?: number;
  /** Whether a further row of the class embedding stands for no class, as with the authors' `class_dropout_prob`; default true. */
  readonly nullClass?: boolean;
  /** Whether the network also returns what its variance is made of, in twice the channels; default false. */
  readonly learnSigma?: boolean;
  /** Seed of the initial weights, a whole number below 2^32; default 0. */
  readonly seed?: number;
}

/** The sizes of table 1 of Peebles & Xie (2022); DiT-XL/2 is `{ ...ditSizes.XL, patchSize: 2 }`. */
export const ditSizes = {
  S: { depth: 12, hiddenSize: 384, numHeads: 6 },
  B: { depth: 12, hiddenSize: 768, numHeads: 12 },
  L: { depth: 24, hiddenSize: 1024, numHeads: 16 },
  XL: { depth: 28, hiddenSize: 1152, numHeads: 16 },
} as const satisfies Readonly<Record<string, DiTOptions>>;

/** All options with their defaults. @throws one line if one is out of range */
export function completeDiTOptions(options: DiTOptions): Required<DiTOptions> {
  const { patchSize = 2, channels = 3, hiddenSize, depth, numHeads, mlpRatio = 4, numClasses = 0 } = options;
  requireWhole("DiT", { patchSize, channels, hiddenSize, depth, numHeads });
  requireWhole("DiT", { numClasses }, 0);
  for (const [name, divisor] of [["4", 4] as const, ["numHeads", numHeads] as const]) {
    if (hiddenSize % divisor === 0) continue;
    const got = name === "4" ? String(hiddenSize) : `${hiddenSize} and ${numHeads}`;
    throw new Error(`DiT: hiddenSize must be divisible by ${name}, got ${got}`);
  }
  if (!(mlpRatio > 0 && mlpRatio < Infinity && hiddenSize * mlpRatio >= 1)) {
    throw new Error(`DiT: mlpRatio must give the MLP at least one channel, got ${mlpRatio}`);
  }
  return {
    patchSize,
    channels,
    hiddenSize,
    depth,
    numHeads,
    mlpRatio,
    numClasses,
    nullClass: options.nullClass ?? true,
    learnSigma: options.learnSigma ?? false,
    seed: options.seed ?? 0,
  };
}
