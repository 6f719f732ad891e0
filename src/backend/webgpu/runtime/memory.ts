import type { DType, TypedArray } from "../../../tensor/dtype.ts";
import { OutOfMemory } from "../../common/out-of-memory.ts";
import { MAP_READ, USAGE } from "./device.ts";
import type { Device } from "./device.ts";

/** Read-back buffers up to this size are kept for the next time. */
const MOST_KEPT_BYTES = 4 << 20;
const SMALLEST_STAGING = 256;

/** From where on something lies. */
export interface Place {
  readonly buffer: GPUBuffer;
  /** Bytes, a multiple of 256. */
  readonly offset: number;
}

/** Some elements of a dtype. */
export interface Source {
  readonly place: Place;
  readonly dtype: DType;
  readonly length: number;
}

/** Bytes of a buffer of so many elements: whole vectors of four, and at least one. */
export function bytesFor(length: number): number {
  return Math.max(1, Math.ceil(length / 4)) * 16;
}

/** The memory of a device: buffers that stay there, and the way to the host and back. */
export class Memory {
  readonly #device: Device;
  /** Buffers to read back by, that are not in use, by size. */
  readonly #staging = new Map<number, GPUBuffer[]>();
  /** Results on their way to the host. */
  readonly #arriving = new Set<Promise<void>>();
  #bytes = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Bytes that are allocated now, staging buffers included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The most that one binding holds. */
  get mostBytes(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.gpu.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /**
   * New buffers that kernels can work on, of zeros.
   *
   * @throws OutOfMemory if one is larger than the adapter binds, or the device has not enough memory
   */
  async allocate(
    sizes: readonly number[],
    what: string,
    usage: number = USAGE.storage | USAGE.copySource | USAGE.copyTarget,
  ): Promise<GPUBuffer[]> {
    const largest = Math.max(0, ...sizes);
    if (largest > this.mostBytes) {
      const share = Math.floor((this.mostBytes / largest) * 100);
      const message = `webgpu: ${what} needs a buffer of ${inMib(largest)}, and this adapter binds ${inMib(this.mostBytes)} at most; a batch of ${share} % of this size would fit`;
      throw new OutOfMemory(message, largest);
    }
    return this.#reserve(sizes, usage, what);
  }

  async #reserve(sizes: readonly number[], usage: number, what: string): Promise<GPUBuffer[]> {
    const buffers: GPUBuffer[] = [];
    const fits = await this.#device.fits(() => {
      for (const size of sizes) buffers.push(this.#create(size, usage));
    });
    if (fits) return buffers;
    for (const buffer of buffers) this.free(buffer);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const message = `webgpu: the device has no ${inMib(bytes)} of memory to give for ${what}; a smaller batch needs less`;
    throw new OutOfMemory(message, bytes);
  }

  free(buffer: GPUBuffer): void {
    this.#bytes -= buffer.size;
    buffer.destroy();
  }

  write({ buffer, offset }: Place, data: TypedArray): void {
    if (data.length > 0) this.#device.gpu.queue.writeBuffer(buffer, offset, data);
  }

  /** After all that was submitted. */
  copy(moves: readonly { readonly from: Place & { readonly bytes: number }; readonly to: Place }[]): void {
    const encoder = this.#device.gpu.createCommandEncoder();
    for (const { from, to } of moves)
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.bytes);
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  /**
   * Has an encoder copy elements to where the host can read them.
   *
   * @returns what waits for them, to be called after the encoder's commands were submitted
   * @throws OutOfMemory where the host's copy does not fit; nothing was encoded then
   */
  async read(encoder: GPUCommandEncoder, sources: readonly Source[]): Promise<() => Promise<TypedArray[]>> {
    const lengths = sources.map(({ length }) => length);
    const bytes = 4 * lengths.reduce((sum, length) => sum + length, 0);
    const staging = bytes > 0 ? await this.#takeStaging(bytes) : undefined;
    let offset = 0;
    const offsets = sources.map(({ place, length }) => {
      const at = offset;
      if (staging && length > 0) encoder.copyBufferToBuffer(place.buffer, place.offset, staging, at, 4 * length);
      offset += 4 * length;
      return at;
    });
    return async () => {
      if (staging) await this.#device.wait(this.#map(staging, bytes));
      // A copy: the mapped memory goes away.
      const words = staging ? staging.getMappedRange(0, bytes).slice(0) : new ArrayBuffer(0);
      if (staging) this.#keepStaging(staging);
      return sources.map(({ dtype, length }, i) => arrayOf(dtype, words, offsets[i], length));
    };
  }

  /** {@link read} by commands of its own. */
  async readNow(sources: readonly Source[]): Promise<() => Promise<TypedArray[]>> {
    const encoder = this.#device.gpu.createCommandEncoder();
    const arrived = await this.read(encoder, sources);
    this.#device.gpu.queue.submit([encoder.finish()]);
    return arrived;
  }

  /** Settles when all that was submitted has ended and its results are on the host. */
  async arrived(): Promise<void> {
    if (!this.#device.isLost) await this.#device.gpu.queue.onSubmittedWorkDone();
    await Promise.allSettled(this.#arriving);
  }

  /** Frees what is kept for later. */
  close(): void {
    for (const buffers of this.#staging.values()) for (const buffer of buffers) this.free(buffer);
    this.#staging.clear();
  }

  async #map(buffer: GPUBuffer, bytes: number): Promise<void> {
    const mapped = buffer.mapAsync(MAP_READ, 0, bytes);
    this.#arriving.add(mapped);
    try {
      await mapped;
    } finally {
      this.#arriving.delete(mapped);
    }
  }

  #create(size: number, usage: number): GPUBuffer {
    this.#bytes += size;
    return this.#device.gpu.createBuffer({ size, usage });
  }

  async #takeStaging(bytes: number): Promise<GPUBuffer> {
    const usage = USAGE.mapRead | USAGE.copyTarget;
    if (bytes > MOST_KEPT_BYTES) {
      const [buffer] = await this.#reserve([bytes], usage, "results on their way to the host");
      return buffer;
    }
    const size = Math.max(SMALLEST_STAGING, 2 ** Math.ceil(Math.log2(bytes)));
    return this.#staging.get(size)?.pop() ?? this.#create(size, usage);
  }

  #keepStaging(buffer: GPUBuffer): void {
    buffer.unmap();
    if (buffer.size > MOST_KEPT_BYTES) this.free(buffer);
    else this.#staging.set(buffer.size, [...(this.#staging.get(buffer.size) ?? []), buffer]);
  }
}

function arrayOf(dtype: DType, words: ArrayBuffer, offset: number, length: number): TypedArray {
  const own = words.slice(offset, offset + 4 * length);
  if (dtype === "f32") return new Float32Array(own);
  return dtype === "u32" ? new Uint32Array(own) : new Int32Array(own);
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}
