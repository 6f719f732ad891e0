import { writeSafetensors } from "../../src/io/safetensors/safetensors.node.ts";
import type { SafeTensor } from "../../src/io/safetensors/safetensors.ts";
import { Random } from "../../src/nn/init.ts";
import { sizes } from "../../src/bench/sizes.ts";
import type { SizeName } from "../../src/bench/sizes.ts";
import { networkOf } from "../../src/bench/workload.ts";
import { nhwcToNchw } from "../../src/parity/layout.ts";
import { ndarray } from "../../src/tensor/ndarray.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { sizeOf } from "../../src/tensor/shape.ts";

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

/** Always the same numbers; images [batch, height, width, channels]. */
export function referenceBatch(size: SizeName, batchSize: number): Batch {
  const random = new Random(0);
  const { imageSize, network } = sizes[size];
  const shape = [batchSize, imageSize, imageSize, network.channels];
  // Of variance 1.
  const values = () => Float32Array.from({ length: sizeOf(shape) }, () => Math.sqrt(12) * (random.uniform() - 0.5));
  const images = () => ndarray(values(), shape);
  const timesteps = Int32Array.from({ length: batchSize }, () => Math.floor(TIMESTEPS * random.uniform()));
  return { images: images(), noise: images(), timesteps: ndarray(timesteps, [batchSize]) };
}

/**
 * Writes model and batch as a safetensors file, laid out as PyTorch has them; weights are called "model.*". The metadata's
 * `network` is the architecture and its options, as JSON.
 */
export async function writeReference(path: string, size: SizeName, batchSize: number): Promise<void> {
  const { images, noise, timesteps } = referenceBatch(size, batchSize);
  const tensors = new Map<string, SafeTensor>();
  for (const [name, weight] of await networkOf(size).stateDict()) tensors.set(`model.${name}`, safeTensor(weight));
  tensors.set("images", safeTensor(nhwcToNchw(images)));
  tensors.set("noise", safeTensor(nhwcToNchw(noise)));
  tensors.set("timesteps", safeTensor(timesteps));
  await writeSafetensors(path, tensors, { network: JSON.stringify(sizes[size].network) });
}

function safeTensor({ shape, data }: NdArray): SafeTensor {
  if (data instanceof Float32Array) return { dtype: "F32", shape, data };
  return { dtype: "I32", shape, data: Int32Array.from(data) };
}
