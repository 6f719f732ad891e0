import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { VariableMemory } from "../../common/variable-store.ts";
import { sizeFor } from "./heap.ts";
import type { Heap } from "./heap.ts";
import { copyOf, viewOf } from "./views.ts";

/** A piece of the heap. */
export interface HeapBlock {
  readonly address: number;
  readonly bytes: number;
}

/** A block that holds a variable's value, and how often that was written. */
export interface VariableBlock extends HeapBlock {
  address: number;
  writes: number;
}

/** A heap as the memory of variables. */
export class HeapVariables implements VariableMemory<VariableBlock> {
  readonly #heap: Heap;
  readonly #queue: JobQueue;
  /** Bytes of those that wait to be placed together, and where they will be. */
  #asked: number[] = [];
  #given: Promise<number[]> | undefined;

  constructor(heap: Heap, queue: JobQueue) {
    this.#heap = heap;
    this.#queue = queue;
  }

  /** Variables that are asked for at the same time lie side by side, so that they can be exchanged as one block. */
  async allocate({ size }: Variable): Promise<VariableBlock> {
    const place = this.#asked.push(4 * size) - 1;
    const sizes = this.#asked;
    this.#given ??= this.#queue.run(() => {
      this.#asked = [];
      this.#given = undefined;
      return this.#heap.allocateTogether(sizes);
    });
    return { address: (await this.#given)[place], bytes: sizes[place], writes: 0 };
  }

  get memory(): WebAssembly.Memory {
    return this.#heap.memory;
  }

  /**
   * Has blocks lie one after another; they move where they do not. To be called in the queue.
   *
   * @throws OutOfMemory where they would not fit; then they stay where they are
   */
  gather(blocks: readonly VariableBlock[]): void {
    const follows = (block: VariableBlock, i: number): boolean =>
      i === 0 || block.address === blocks[i - 1].address + sizeFor(blocks[i - 1].bytes);
    if (blocks.every(follows)) return;
    const addresses = this.#heap.allocateTogether(blocks.map(({ bytes }) => bytes));
    const memory = new Uint8Array(this.#heap.memory.buffer);
    blocks.forEach((block, i) => {
      const { address, bytes } = block;
      memory.copyWithin(addresses[i], address, address + bytes);
      this.#heap.free(address, bytes);
      block.address = addresses[i];
    });
  }

  /** The numbers of blocks, to be written: those of neighbours are one array. */
  valuesOf(blocks: readonly VariableBlock[]): Float32Array[] {
    const spans: { readonly start: number; end: number; padded: number }[] = [];
    for (const block of blocks) {
      const { address, bytes } = block;
      block.writes++;
      const last = spans.at(-1);
      const [end, padded] = [address + bytes, address + sizeFor(bytes)];
      if (last?.padded === address) Object.assign(last, { end, padded });
      else spans.push({ start: address, end, padded });
    }
    const { buffer } = this.#heap.memory;
    return spans.map(({ start, end }) => new Float32Array(buffer, start, (end - start) / 4));
  }

  async initialize(block: VariableBlock, { dtype, size }: Variable, data: TypedArray): Promise<void> {
    block.writes++;
    viewOf(this.#heap.memory, dtype, block.address, size).set(data);
  }

  write(block: VariableBlock, variable: Variable, data: TypedArray): Promise<void> {
    return this.#queue.run(() => this.initialize(block, variable, data));
  }

  read(block: HeapBlock, { dtype, size }: Variable): Promise<TypedArray> {
    return this.#queue.run(() => copyOf(this.#heap.memory, dtype, block.address, size));
  }

  free(block: HeapBlock): void {
    this.#queue.free(() => this.#heap.free(block.address, block.bytes));
  }
}
