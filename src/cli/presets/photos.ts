import type { Preset } from "./preset.ts";

/**
 * A few hundred images of your own, small enough to be drawn after minutes: the small U-Net of the default preset, trained
 * by EDM, which gets from few images in few steps to clean ones; docs/recipes.md has what was measured.
 */
export const photosPreset: Preset = {
  name: "photos",
  summary: "your own images, small, in about ten minutes: the preset for a directory that --data names",
  settings: {
    data: "photos",
    model: { dim: 16, dimMults: [1, 2, 4], attentionHeads: 2 },
    diffusion: { kind: "edm" },
    training: {
      batchSize: 16,
      learningRate: 2e-3,
      learningRateSchedule: "cosine",
      warmupSteps: 50,
      maxGradNorm: 1,
      adamBetas: [0.9, 0.99],
      emaDecay: 0.995,
      emaUpdateEvery: 1,
      randomHorizontalFlip: true,
    },
    length: { steps: 4000 },
    saveEvery: 250,
    sampleEvery: 500,
    samples: 36,
  },
};
