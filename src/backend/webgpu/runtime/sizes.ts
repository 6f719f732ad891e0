import type { Dispatch } from "../emit/dispatch.ts";
import { WORD_BYTES } from "../emit/storage.ts";
import { USAGE } from "./device.ts";
import type { Memory } from "./memory.ts";

/** The uniforms of a program's dispatches, in one buffer. */
export class SizesBuffer {
  /** Undefined where no dispatch has a uniform. */
  readonly buffer: GPUBuffer | undefined;
  readonly #places: ReadonlyMap<string, number>;

  private constructor(buffer: GPUBuffer | undefined, places: ReadonlyMap<string, number>) {
    this.buffer = buffer;
    this.#places = places;
  }

  /** @throws OutOfMemory where it does not fit */
  static async create(
    memory: Memory,
    { minUniformBufferOffsetAlignment: alignment }: GPUSupportedLimits,
    dispatches: readonly Dispatch[],
  ): Promise<SizesBuffer> {
    const places = new Map<string, number>();
    let bytes = 0;
    for (const { sizes } of dispatches) {
      if (sizes.length === 0 || places.has(keyOf(sizes))) continue;
      places.set(keyOf(sizes), bytes);
      bytes = Math.ceil((bytes + WORD_BYTES * sizes.length) / alignment) * alignment;
    }
    if (bytes === 0) return new SizesBuffer(undefined, places);
    const words = new Int32Array(bytes / WORD_BYTES);
    for (const { sizes } of dispatches)
      if (sizes.length > 0) words.set(sizes, (places.get(keyOf(sizes)) ?? 0) / WORD_BYTES);
    const [buffer] = await memory.allocate([bytes], "the program's sizes", USAGE.uniform | USAGE.copyTarget);
    memory.write({ buffer, offset: 0 }, words);
    return new SizesBuffer(buffer, places);
  }

  /** What a bind group has for a dispatch, behind its buffers. */
  entriesOf({ bindings, sizes }: Dispatch): GPUBindGroupEntry[] {
    if (sizes.length === 0 || !this.buffer) return [];
    const offset = this.#places.get(keyOf(sizes));
    const resource = { buffer: this.buffer, offset, size: WORD_BYTES * sizes.length };
    return [{ binding: bindings.length, resource }];
  }
}

function keyOf(sizes: readonly number[]): string {
  return sizes.join();
}
