import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import type { Device } from "./device.ts";
import { bytesFor } from "./memory.ts";
import type { Memory } from "./memory.ts";

/** The variables whose values live on a device. */
export class VariableStore {
  readonly #memory: Memory;
  readonly #buffers = new Map<Variable, GPUBuffer>();
  readonly #storage: VariableStorage;

  /** @param exclusively runs a job after those that were given before it */
  constructor(device: Device, memory: Memory, exclusively: <T>(job: () => T | Promise<T>) => Promise<T>) {
    this.#memory = memory;
    this.#storage = {
      read: async (variable) => {
        const arrived = await exclusively(() => {
          const encoder = device.gpu.createCommandEncoder();
          const { dtype, size: length } = variable;
          const arrived = memory.read(encoder, [{ buffer: this.#bufferOf(variable), dtype, length }]);
          device.gpu.queue.submit([encoder.finish()]);
          return arrived;
        });
        return (await arrived())[0];
      },
      write: (variable, data) => exclusively(() => memory.write(this.#bufferOf(variable), data)),
      free: (variable) => {
        memory.free(this.#bufferOf(variable));
        this.#buffers.delete(variable);
      },
    };
  }

  /** Where a variable's value is, which moves here if it is elsewhere. */
  async bring(variable: Variable): Promise<GPUBuffer> {
    const known = this.#buffers.get(variable);
    if (known) return known;
    const data = await variable.moveTo(this.#storage);
    const [buffer] = await this.#memory.allocate([bytesFor(variable.size)], `variable ${variable.name}`);
    this.#buffers.set(variable, buffer);
    if (data) this.#memory.write(buffer, data);
    return buffer;
  }

  async moveAllToHost(): Promise<void> {
    for (const variable of this.#buffers.keys()) await variable.moveToHost();
  }

  #bufferOf(variable: Variable): GPUBuffer {
    const buffer = this.#buffers.get(variable);
    if (!buffer) throw new Error(`internal: variable ${variable.name} is not on this device`);
    return buffer;
  }
}
