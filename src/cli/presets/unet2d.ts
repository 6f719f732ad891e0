import type { Preset } from "./preset.ts";

/**
 * Images of your own, 64 x 64 in colour, with a network that diffusers loads. After diffusers' train_unconditional.py
 * (1000 linear timesteps, noise, AdamW with 0.95 and 0.999 and a weight decay of 1e-6, batches of 16, 500 steps of warm-up,
 * then a cosine, gradients clipped to 1, averages), but with its first four resolutions of its six and half their
 * channels, a quarter of the work of a step.
 */
export const unet2dPreset: Preset = {
  name: "unet2d",
  summary:
    "your own images with a UNet2DModel, which diffusers loads (docs/pretrained.md), in about a day on two cores",
  settings: {
    data: "photos",
    imageSize: 64,
    channels: 3,
    model: {
      architecture: "unet2d",
      blockOutChannels: [64, 64, 128, 128],
      downBlockTypes: ["DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D"],
      upBlockTypes: ["AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"],
      nullClass: true,
    },
    diffusion: {
      betaSchedule: "linear",
      timesteps: 1000,
      objective: "predNoise",
      lossType: "l2",
      clipDenoised: true,
      samplingTimesteps: 50,
    },
    training: {
      batchSize: 16,
      optimizer: "adamw",
      weightDecay: 1e-6,
      learningRate: 1e-4,
      learningRateSchedule: "cosine",
      warmupSteps: 500,
      maxGradNorm: 1,
      adamBetas: [0.95, 0.999],
      emaDecay: 0.999,
      emaUpdateEvery: 1,
      randomHorizontalFlip: true,
    },
    length: { steps: 50_000 },
    saveEvery: 250,
    sampleEvery: 1000,
    samples: 25,
  },
};
