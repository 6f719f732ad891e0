import type { ConvolutionShape } from "../../../compiler/program.ts";
import type { Target } from "../../../compiler/target.ts";
import { measuredTarget } from "../../common/measured-target.ts";

/**
 * Attention is one kernel from so many keys on, where the similarities take more memory than all else of a network; and up to
 * so many channels of a head, whose sums take an invocation's registers. No GPU has been measured yet.
 */
const FEWEST_KEYS = 1024;
const MOST_CHANNELS = 128;

/**
 * What GPUs do while they read or write an element, by their makers' figures: 67 TFLOP/s beside 3.35 TB/s of an H100 are 80
 * operations, 3.6 beside 0.1 of an M2 144, 3.4 beside 0.06 of a Radeon 680M 227.
 */
const OPERATIONS_PER_PASS = 100;

/** Products of so many tiles of 64 x 64 need no parts, or few: those are then made by how many workgroups there are. */
const FEW_PARTS = 64;

/** Whether filters have so many channels: gradients of all parts of a batch would be larger than what they are taken of. */
function hasManyTiles({ kernel, inChannels, outChannels }: ConvolutionShape): boolean {
  const tiles = (n: number): number => Math.ceil(n / 64);
  return tiles(kernel[0] * kernel[1] * inChannels) * tiles(outChannels) >= FEW_PARTS;
}

/** What the compiler knows of GPUs. */
export const webgpuTarget: Target = {
  ...measuredTarget,
  splitting: { ...measuredTarget.splitting, takesWhole: hasManyTiles },
  fusion: { ...measuredTarget.fusion, operationsPerPass: OPERATIONS_PER_PASS, mostRepeatedOperations: Infinity },
  fusesAttention: ({ keys, channels }) => keys >= FEWEST_KEYS && channels <= MOST_CHANNELS,
};
