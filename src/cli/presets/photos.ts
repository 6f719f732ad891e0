import { fashionMnistPreset } from "./fashion-mnist.ts";
import type { Preset } from "./preset.ts";

const { settings } = fashionMnistPreset;

/** A few hundred images of your own, small enough to be drawn after minutes; docs/recipes.md has what was measured. */
export const photosPreset: Preset = {
  name: "photos",
  summary: "your own images, small, in about ten minutes: the preset for a directory that --data names",
  settings: {
    ...settings,
    data: "photos",
    training: { ...settings.training, randomHorizontalFlip: true },
    samples: 36,
  },
};
