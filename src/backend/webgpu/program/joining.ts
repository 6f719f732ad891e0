import type { Joining } from "../../../compiler/target.ts";
import { WORD_BYTES } from "../emit/storage.ts";
import type { Storage } from "../emit/storage.ts";

/** Bytes that a binding starts at multiples of, and those of the largest, on every adapter. */
const BINDING_ALIGNMENT = 256;
const MOST_BOUND = 128 << 20;

/**
 * Which kernels are one. Those that wait for others keep intermediate results for longer: with these bounds the workspace of
 * training steps grows by 2 to 3.3 %, that of a prediction of Stable Diffusion's size not at all, and of one small image by 2 MiB.
 */
export function joiningFor(storage: Storage): Joining {
  return {
    // Elements take 4 bytes, or as few as 2.
    alignment: BINDING_ALIGNMENT / (storage.precision === "f16" ? 2 : WORD_BYTES),
    mostTogether: MOST_BOUND / WORD_BYTES,
    mostElements: 2 ** 20,
    mostFixedElements: 2 ** 16,
    sortOf: (buffer) => (storage.isHalf(buffer) ? "half" : "word"),
  };
}
