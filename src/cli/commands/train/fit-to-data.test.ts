import { expect, test } from "vitest";
import { memoryDataset } from "../../../data/dataset.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import { fitToData, sizeMultiple } from "./fit-to-data.ts";
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

const drawings = (labels?: Uint8Array): ImageDataset =>
  memoryDataset({ name: "drawings", images: new Uint8Array(40 * 28 * 28), shape: [40, 28, 28, 1], labels });

test.each([
  ["no labels", undefined, {}, 0, "no classes (--num-classes changes that)"],
  [
    "labels of 4 classes",
    Uint8Array.from({ length: 40 }, (_, i) => i % 4),
    {},
    4,
    "4 classes (--num-classes changes that)",
  ],
  [
    "labels of 4 classes and a flag",
    Uint8Array.from({ length: 40 }, (_, i) => i % 4),
    { numClasses: 10 },
    10,
    undefined,
  ],
])("a network learns the classes of its images: %s", (_, labels, flags, classes, line) => {
  const said: string[] = [];
  const settings = fitToData(resolveSettings(flags), drawings(labels), flags, (text) => said.push(text));
  expect(settings.model.numClasses).toBe(classes);
  expect(said).toEqual(line === undefined ? [] : [`chosen by the images: ${line}`]);
});

test("a classifier keeps its classes where images have none, for training to refuse", () => {
  const settings = resolveSettings({ preset: "fashion-mnist-noisy-classifier" });
  expect(fitToData(settings, drawings(), {}, () => {}).model.numClasses).toBe(10);
});
