import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { VariableMemory } from "../../common/variable-store.ts";
import type { Heap } from "./heap.ts";
import { copyOf, viewOf } from "./views.ts";

/** A piece of the heap. */
export interface HeapBlock {
  readonly address: number;
  readonly bytes: number;
}

/** A block that holds a variable's value, and how often that was written. */
export interface VariableBlock extends HeapBlock {
  writes: number;
}

/** A heap as the memory of variables. */
export class HeapVariables implements VariableMemory<VariableBlock> {
  readonly #heap: Heap;
  readonly #queue: JobQueue;

  constructor(heap: Heap, queue: JobQueue) {
    this.#heap = heap;
    this.#queue = queue;
  }

  allocate({ size }: Variable): Promise<VariableBlock> {
    const bytes = 4 * size;
    return this.#queue.run(() => ({ address: this.#heap.allocate(bytes), bytes, writes: 0 }));
  }

  async initialize(block: VariableBlock, { dtype, size }: Variable, data: TypedArray): Promise<void> {
    block.writes++;
    viewOf(this.#heap.memory, dtype, block.address, size).set(data);
  }

  write(block: VariableBlock, variable: Variable, data: TypedArray): Promise<void> {
    return this.#queue.run(() => this.initialize(block, variable, data));
  }

  read({ address }: HeapBlock, { dtype, size }: Variable): Promise<TypedArray> {
    return this.#queue.run(() => copyOf(this.#heap.memory, dtype, address, size));
  }

  free({ address, bytes }: HeapBlock): void {
    this.#queue.free(() => this.#heap.free(address, bytes));
  }
}
