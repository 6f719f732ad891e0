import { expect, test } from "vitest";
import { modelOptionFlag } from "./model-option.ts";

test.each([
  ["depth=6", { depth: 6 }],
  [" mlpRatio = 2.5 ", { mlpRatio: 2.5 }],
  ["channelMult=0.5,1, 2", { channelMult: [0.5, 1, 2] }],
  ["attentionResolutions=2,", { attentionResolutions: [2] }],
  ["nullClass=false", { nullClass: false }],
  ["downBlockTypes=DownBlock2D, AttnDownBlock2D", { downBlockTypes: ["DownBlock2D", "AttnDownBlock2D"] }],
  ["upBlockTypes=UpBlock2D,", { upBlockTypes: ["UpBlock2D"] }],
  ["midBlockType=null", { midBlockType: null }],
  ["weightStandardization=printed", { weightStandardization: "printed" }],
])("%s is an option of a network", (text, options) => {
  expect(modelOptionFlag(text)).toEqual(options);
  expect(modelOptionFlag(text, { seed: 1 })).toEqual({ seed: 1, ...options });
});

test.each(["depth", "=6", "depth=", "a b=1"])("%s is none", (text) => {
  expect(() => modelOptionFlag(text)).toThrow("It must be the name of an option and its value: depth=6");
});

test("what follows from other flags is refused", () => {
  expect(() => modelOptionFlag("outDim=2")).toThrow("outDim follows from --variance-type");
});
