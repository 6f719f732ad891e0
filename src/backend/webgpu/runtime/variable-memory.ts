import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { VariableMemory } from "../../common/variable-store.ts";
import type { Device } from "./device.ts";
import { bytesFor } from "./memory.ts";
import type { Memory } from "./memory.ts";

/** A GPU's memory as that of variables: each has a buffer. */
export class BufferVariables implements VariableMemory<GPUBuffer> {
  readonly #device: Device;
  readonly #memory: Memory;
  readonly #queue: JobQueue;

  constructor(device: Device, memory: Memory, queue: JobQueue) {
    this.#device = device;
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
    const arrived = await this.#queue.run(async () => {
      const encoder = this.#device.gpu.createCommandEncoder();
      const arrived = await this.#memory.read(encoder, [{ buffer, dtype, length }]);
      this.#device.gpu.queue.submit([encoder.finish()]);
      return arrived;
    });
    return (await arrived())[0];
  }

  free(buffer: GPUBuffer): void {
    this.#queue.free(() => this.#memory.free(buffer));
  }
}
