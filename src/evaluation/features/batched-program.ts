import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { Compiled } from "../../backend/compile.ts";
import type { ImageBatch } from "../../io/images/pixels.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { sliceImages } from "../byte-images.ts";

/** A function of images over any number of them, in batches of one size: it compiles once, and memory stays bounded. */
export class BatchedProgram<Name extends string> {
  readonly batchSize: number;
  readonly #program: Compiled<Name>;

  /**
   * @param trace from f32 [batchSize, height, width, channels], bytes from 0 to 255, to tensors [batchSize, ...]
   */
  constructor(backend: Backend, batchSize: number, trace: (images: Tensor) => Readonly<Record<Name, Tensor>>) {
    this.batchSize = batchSize;
    this.#program = compile(backend, ({ images }) => ({ outputs: trace(images) }));
  }

  /** @returns each output with one row per image */
  async run(images: ImageBatch<Uint8Array>): Promise<Record<Name, NdArray>> {
    const [count] = images.shape;
    const parts: Record<Name, NdArray>[] = [];
    for (let start = 0; start < count; start += this.batchSize) {
      const batch = sliceImages(images, start, Math.min(start + this.batchSize, count));
      parts.push(rowsOf(await this.#program({ images: this.#padded(batch) }), batch.shape[0]));
    }
    const names = Object.keys(parts[0] ?? {}) as Name[];
    return Object.fromEntries(names.map((name) => [name, joined(parts.map((part) => part[name]))])) as Record<
      Name,
      NdArray
    >;
  }

  dispose(): void {
    this.#program.dispose();
  }

  /** A whole batch as floats; black images fill the last one up. */
  #padded({ data, shape: [count, ...image] }: ImageBatch<Uint8Array>): NdArray {
    const floats = new Float32Array((data.length / count) * this.batchSize);
    floats.set(data);
    return ndarray(floats, [this.batchSize, ...image]);
  }
}

function rowsOf<Name extends string>(outputs: Record<Name, NdArray>, count: number): Record<Name, NdArray> {
  const entries = Object.entries<NdArray>(outputs).map(
    ([
      name,
      {
        shape: [batch, ...rest],
        dtype,
        data,
      },
    ]) => {
      const rows = data.subarray(0, (data.length / batch) * count);
      return [name, { shape: [count, ...rest], dtype, data: rows }];
    },
  );
  return Object.fromEntries(entries) as Record<Name, NdArray>;
}

/** Rows of f32 arrays one after the other. */
function joined(parts: readonly NdArray[]): NdArray {
  const [, ...rest] = parts[0].shape;
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return ndarray(data, [parts.reduce((sum, { shape }) => sum + shape[0], 0), ...rest]);
}
