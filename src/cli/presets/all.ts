import { annotatedPreset } from "./annotated.ts";
import { cifar10Preset } from "./cifar10.ts";
import { fashionMnistClassesPreset } from "./fashion-mnist-classes.ts";
import { fashionMnistNoisyClassifierPreset } from "./fashion-mnist-noisy-classifier.ts";
import { fashionMnistPreset } from "./fashion-mnist.ts";
import { imageFolderPreset } from "./image-folder.ts";
import { photosPreset } from "./photos.ts";
import type { Preset } from "./preset.ts";
import { unet2dPreset } from "./unet2d.ts";

/** The first is the default. */
export const presets: readonly Preset[] = [
  fashionMnistPreset,
  fashionMnistClassesPreset,
  fashionMnistNoisyClassifierPreset,
  annotatedPreset,
  cifar10Preset,
  photosPreset,
  imageFolderPreset,
  unet2dPreset,
];

export const defaultPreset = fashionMnistPreset;

/** @throws Error listing the presets if there is none of this name */
export function presetNamed(name: string): Preset {
  const preset = presets.find((candidate) => candidate.name === name);
  if (preset !== undefined) return preset;
  throw new Error(`preset must be one of ${presets.map((candidate) => candidate.name).join(", ")}, got ${name}`);
}
