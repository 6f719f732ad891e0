import { writeSafetensors } from "../src/io/safetensors/safetensors.node.ts";
import type { SafeTensor } from "../src/io/safetensors/safetensors.ts";
import { Random } from "../src/nn/init.ts";
import { Unet } from "../src/models/unet/unet.ts";
import { nhwcToNchw } from "../src/parity/layout.ts";
import { ndarray } from "../src/tensor/ndarray.ts";
import type { NdArray } from "../src/tensor/ndarray.ts";

export const IMAGE_SIZE = 28;
export const TIMESTEPS = 300;
/** How many images' values are compared. */
export const COMPARED_IMAGES = 4;
/** How many losses of training by one batch are compared: a wrong gradient shows from the second on. */
export const COMPARED_LOSSES = 3;

export interface Batch {
  readonly images: NdArray;
  readonly noise: NdArray;
  readonly timesteps: NdArray;
}

/** The article's U-Net with weights that follow from a seed. */
export function referenceModel(): Unet {
  return new Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4], seed: 0 });
}

/** Always the same numbers; images [batch, height, width, 1]. */
export function referenceBatch(batchSize: number): Batch {
  const random = new Random(0);
  const length = batchSize * IMAGE_SIZE ** 2;
  // Of variance 1.
  const values = () => Float32Array.from({ length }, () => Math.sqrt(12) * (random.uniform() - 0.5));
  const images = () => ndarray(values(), [batchSize, IMAGE_SIZE, IMAGE_SIZE, 1]);
  const timesteps = Int32Array.from({ length: batchSize }, () => Math.floor(TIMESTEPS * random.uniform()));
  return { images: images(), noise: images(), timesteps: ndarray(timesteps, [batchSize]) };
}

/** Writes model and batch as a safetensors file, laid out as PyTorch has them; weights are called "model.*". */
export async function writeReference(path: string, batchSize: number): Promise<void> {
  const { images, noise, timesteps } = referenceBatch(batchSize);
  const tensors = new Map<string, SafeTensor>();
  for (const [name, weight] of await referenceModel().stateDict()) tensors.set(`model.${name}`, safeTensor(weight));
  tensors.set("images", safeTensor(nhwcToNchw(images)));
  tensors.set("noise", safeTensor(nhwcToNchw(noise)));
  tensors.set("timesteps", safeTensor(timesteps));
  await writeSafetensors(path, tensors);
}

function safeTensor({ shape, data }: NdArray): SafeTensor {
  if (data instanceof Float32Array) return { dtype: "F32", shape, data };
  return { dtype: "I32", shape, data: Int32Array.from(data) };
}
