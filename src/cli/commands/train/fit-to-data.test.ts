import { expect, test } from "vitest";
import { sizeMultiple } from "./fit-to-data.ts";
import { resolveSettings } from "./flags.ts";

test.each([
  [{ dimMults: [1, 2, 4] }, 4],
  [{ model: "adm", modelOption: { numChannels: 32, channelMult: [1, 2] } }, 2],
  [{ model: "adm", modelOption: { numChannels: 32 } }, 8],
  [{ preset: "unet2d" }, 8],
  [{ model: "dit", modelOption: { hiddenSize: 32, depth: 2, numHeads: 2, patchSize: 4 } }, 4],
])("the images of a network of %o have sides that %i divides", (flags, multiple) => {
  expect(sizeMultiple(resolveSettings(flags))).toBe(multiple);
});
