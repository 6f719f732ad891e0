import { fashionMnistPreset } from "./fashion-mnist.ts";
import type { Preset } from "./preset.ts";

const { settings } = fashionMnistPreset;

/** The default recipe with the garments' ten classes, for `unnoise sample --class`. */
export const fashionMnistClassesPreset: Preset = {
  name: "fashion-mnist-classes",
  summary: "the same, told which of the ten kinds of garment each image shows",
  settings: { ...settings, model: { ...settings.model, numClasses: 10 }, samples: 60 },
};
