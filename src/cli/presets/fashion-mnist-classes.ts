import { fashionMnistPreset } from "./fashion-mnist.ts";
import type { Preset } from "./preset.ts";

const { settings } = fashionMnistPreset;

/** What data/fashion-mnist-classes was made by: the default recipe, more than three times as long. */
export const fashionMnistClassesPreset: Preset = {
  name: "fashion-mnist-classes",
  summary: "the same for longer, in about half an hour",
  settings: {
    ...settings,
    training: { ...settings.training, emaDecay: 0.999, warmupSteps: 200 },
    length: { steps: 8000 },
    saveEvery: 500,
    sampleEvery: 2000,
  },
};
