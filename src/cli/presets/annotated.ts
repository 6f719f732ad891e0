import type { Preset } from "./preset.ts";

/** The recipe of "The Annotated Diffusion Model": 468 whole batches an epoch, for six epochs. */
export const annotatedPreset: Preset = {
  name: "annotated",
  summary: "the recipe of The Annotated Diffusion Model, to the letter: 6 epochs, sampling in 300 steps",
  settings: {
    data: "fashion-mnist",
    // The printed code multiplies filters by their deviation, where the paper that it cites divides.
    model: { dim: 28, dimMults: [1, 2, 4], weightStandardization: "printed" },
    diffusion: {
      betaSchedule: "linear",
      timesteps: 300,
      objective: "predNoise",
      lossType: "huber",
      clipDenoised: false,
    },
    training: { batchSize: 128, learningRate: 1e-3, emaDecay: 0, randomHorizontalFlip: true },
    length: { epochs: 6 },
    saveEvery: 100,
    sampleEvery: 1000,
  },
};
