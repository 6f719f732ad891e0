import type { Preset } from "./preset.ts";

/**
 * The 50,000 small colour images of CIFAR-10 with their ten classes. After denoising-diffusion-pytorch's defaults (dim
 * 64, sigmoid schedule, v), but with three resolutions of 64, 128 and 128 channels, as eight times 64 cost more than two
 * cores can pay; Min-SNR-5, which needs fewer steps (Hang et al. 2023), and mirrored images, as in Ho et al. (2020).
 */
export const cifar10Preset: Preset = {
  name: "cifar10",
  summary: "CIFAR-10 in colour with its ten classes, in days on two cores",
  settings: {
    data: "cifar10",
    imageSize: 32,
    channels: 3,
    model: { dim: 64, dimMults: [1, 2, 2], resnetBlockGroups: 8, numClasses: 10 },
    diffusion: {
      betaSchedule: "sigmoidJabri",
      timesteps: 1000,
      objective: "predV",
      lossType: "l2",
      clipDenoised: true,
      minSnrLossWeight: true,
      samplingTimesteps: 50,
    },
    training: {
      batchSize: 64,
      learningRate: 2e-4,
      warmupSteps: 1000,
      maxGradNorm: 1,
      adamBetas: [0.9, 0.99],
      emaDecay: 0.999,
      emaUpdateEvery: 1,
      randomHorizontalFlip: true,
    },
    length: { steps: 50_000 },
    saveEvery: 500,
    sampleEvery: 1000,
    samples: 60,
  },
};
