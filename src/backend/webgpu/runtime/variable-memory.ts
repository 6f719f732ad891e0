import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { VariableMemory } from "../../common/variable-store.ts";
import { bytesFor } from "./memory.ts";
import type { Memory } from "./memory.ts";

/** A GPU's memory as that of variables: each has a buffer. */
export class BufferVariables implements VariableMemory<GPUBuffer> {
  readonly #memory: Memory;
  readonly #queue: JobQueue;

  constructor(memory: Memory, queue: JobQueue) {
    this.#memory = memory;
    this.#queue = queue;
  }

  async allocate({ name, size }: Variable): Promise<GPUBuffer> {
    const [buffer] = await this.#queue.run(() => this.#memory.allocate([bytesFor(size)], `variable ${name}`));
    return buffer;
  }

  async initialize(buffer: GPUBuffer, _: Variable, data: TypedArray): Promise<void> {
    this.#memory.write(buffer, data);
  }

  write(buffer: GPUBuffer, _: Variable, data: TypedArray): Promise<void> {
    return this.#queue.run(() => this.#memory.write(buffer, data));
  }

  async read(buffer: GPUBuffer, { dtype, size: length }: Variable): Promise<TypedArray> {
    const arrived = await this.#queue.run(() => this.#memory.readNow([{ buffer, dtype, length }]));
    return (await arrived())[0];
  }

  free(buffer: GPUBuffer): void {
    this.#queue.free(() => this.#memory.free(buffer));
  }
}
