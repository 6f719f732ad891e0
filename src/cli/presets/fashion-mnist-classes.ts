import { fashionMnistPreset } from "./fashion-mnist.ts";
import type { Preset } from "./preset.ts";

const { settings } = fashionMnistPreset;

/** What data/fashion-mnist-classes was made by: the default recipe with the garments' ten classes, four times as long. */
export const fashionMnistClassesPreset: Preset = {
  name: "fashion-mnist-classes",
  summary: "garments of the class that one asks for, better ones, in about half an hour",
  settings: {
    ...settings,
    model: { ...settings.model, numClasses: 10 },
    training: { ...settings.training, emaDecay: 0.999, warmupSteps: 200 },
    length: { steps: 8000 },
    saveEvery: 500,
    sampleEvery: 2000,
    samples: 60,
  },
};
