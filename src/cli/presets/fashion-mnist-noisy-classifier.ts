import { fashionMnistPreset } from "./fashion-mnist.ts";
import type { Preset } from "./preset.ts";

const { settings } = fashionMnistPreset;

/** A classifier of garments in the noise of the default recipe, for `unnoise sample --classifier`. */
export const fashionMnistNoisyClassifierPreset: Preset = {
  name: "fashion-mnist-noisy-classifier",
  summary: "no model that draws, but a classifier of noisy garments that guides one",
  settings: {
    ...settings,
    model: { ...settings.model, architecture: "unetClassifier", numClasses: 10 },
    training: { ...settings.training, batchSize: 64, learningRate: 1e-3 },
    length: { steps: 1000 },
    sampleEvery: 0,
  },
};
