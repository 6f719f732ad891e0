import type { Preset } from "./preset.ts";

/** A small U-Net that draws garments of ten classes after minutes on two cores; docs/recipes.md says what else was tried. */
export const fashionMnistPreset: Preset = {
  name: "fashion-mnist",
  summary:
    "garments of the class that one asks for, within minutes: a small U-Net, cosine schedule, samples in ten steps",
  settings: {
    data: "fashion-mnist",
    model: { dim: 16, dimMults: [1, 2, 4], attentionHeads: 2, numClasses: 10 },
    diffusion: {
      betaSchedule: "cosine",
      timesteps: 1000,
      objective: "predNoise",
      lossType: "l2",
      clipDenoised: true,
      samplingTimesteps: 40,
      sampling: { sampler: "dpmSolver++2MSde", steps: 10, timestepSpacing: "karras", eta: 0.5 },
    },
    training: {
      batchSize: 32,
      learningRate: 2e-3,
      learningRateSchedule: "cosine",
      warmupSteps: 100,
      adamBetas: [0.9, 0.99],
      emaDecay: 0.998,
      emaUpdateEvery: 1,
    },
    length: { steps: 2400 },
    saveEvery: 200,
    sampleEvery: 600,
    samples: 60,
  },
};
