import type { WorkloadName } from "./workload-names.ts";

/** A network and its images, at which a workload is timed. */
export interface Size {
  /** For people: what is so large. */
  readonly title: string;
  /** The architecture and its options, as a checkpoint has them. */
  readonly network: {
    readonly architecture: string;
    readonly channels: number;
    readonly [option: string]: unknown;
  };
  /** Side of the square images. */
  readonly imageSize: number;
  /** Images at once; sampling takes half as many, as nobody waits for so many. */
  readonly batchSize: number;
}

/** The U-Net of "The Annotated Diffusion Model". */
const article = { architecture: "unet", dim: 28, dimMults: [1, 2, 4], channels: 1 } as const;
/** With the defaults of denoising-diffusion-pytorch. */
const wide = { architecture: "unet", dim: 64, dimMults: [1, 2, 4, 8], channels: 3 } as const;

/** What google/ddpm-* have in common. */
const ddpm = {
  architecture: "unet2d",
  channels: 3,
  layersPerBlock: 2,
  attentionHeadDim: null,
  downsamplePadding: 0,
  flipSinToCos: false,
  freqShift: 1,
  normEps: 1e-6,
} as const;

const rows = {
  dim28: { title: "28 channels, 28x28x1", network: article, imageSize: 28, batchSize: 128 },
  dim16: { title: "16 channels, 28x28x1", network: { ...article, dim: 16 }, imageSize: 28, batchSize: 32 },
  dim32: { title: "32 channels, 128x128x3", network: { ...wide, dim: 32 }, imageSize: 128, batchSize: 4 },
  dim64: { title: "64 channels, 64x64x3", network: wide, imageSize: 64, batchSize: 8 },
  // As wide as DDPM's for CIFAR-10.
  dim128: {
    title: "128 channels, 32x32x3",
    network: { ...wide, dim: 128, dimMults: [1, 2, 2, 2] },
    imageSize: 32,
    batchSize: 16,
  },
  "dim28-single": { title: "28 channels, 28x28x1", network: article, imageSize: 28, batchSize: 1 },
  "dim64-single": { title: "64 channels, 64x64x3", network: wide, imageSize: 64, batchSize: 1 },
  "ddpm-cifar10-32": {
    title: "ddpm-cifar10-32",
    network: {
      ...ddpm,
      blockOutChannels: [128, 256, 256, 256],
      downBlockTypes: ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
      upBlockTypes: ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    },
    imageSize: 32,
    batchSize: 16,
  },
  "ddpm-church-256": {
    title: "ddpm-church-256",
    network: {
      ...ddpm,
      blockOutChannels: [128, 128, 256, 256, 512, 512],
      downBlockTypes: ["DownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
      upBlockTypes: ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"],
    },
    imageSize: 256,
    batchSize: 1,
  },
} as const satisfies Readonly<Record<string, Size>>;

export type SizeName = keyof typeof rows;

export const sizes: Readonly<Record<SizeName, Size>> = rows;
export const sizeNames = Object.keys(rows) as [SizeName, ...SizeName[]];

/** What is timed where nothing else is said: the article's. */
export const DEFAULT_SIZE: SizeName = "dim28";

/** The batch size that a workload is compared at. */
export function batchSizeOf(workload: WorkloadName, size: SizeName = DEFAULT_SIZE): number {
  const { batchSize } = sizes[size];
  return workload === "sampling" ? Math.ceil(batchSize / 2) : batchSize;
}

const titles: Readonly<Record<WorkloadName, string>> = {
  train: "train step",
  forward: "forward",
  sampling: "sampling step",
};

/** "train step, batch 128"; of another size than the article's "train step, 64 channels, 64x64x3, batch 8" */
export function titleOf(workload: WorkloadName, batchSize?: number, size: SizeName = DEFAULT_SIZE): string {
  const parts = size === DEFAULT_SIZE ? [titles[workload]] : [titles[workload], sizes[size].title];
  return [...parts, `batch ${batchSize ?? batchSizeOf(workload, size)}`].join(", ");
}
