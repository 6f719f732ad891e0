import type { Target } from "../../../compiler/target.ts";
import { measuredTarget } from "../../common/measured-target.ts";

/**
 * Attention is one kernel from so many keys on, where the similarities take more memory than all else of a network; and up to
 * so many channels of a head, whose sums take an invocation's registers. No GPU has been measured yet.
 */
const FEWEST_KEYS = 1024;
const MOST_CHANNELS = 128;

/** What the compiler knows of GPUs. */
export const webgpuTarget: Target = {
  ...measuredTarget,
  fusesAttention: ({ keys, channels }) => keys >= FEWEST_KEYS && channels <= MOST_CHANNELS,
};
