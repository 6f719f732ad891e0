import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable, VariableStorage } from "../../../tensor/variable.ts";
import type { Residence } from "../../common/arrivals.ts";
import type { Device } from "./device.ts";
import { bytesFor } from "./memory.ts";
import type { Memory } from "./memory.ts";

type Exclusively = <T>(job: () => T | Promise<T>) => Promise<T>;

/** The variables whose values live on a device. */
export class VariableStore implements Residence {
  readonly #device: Device;
  readonly #memory: Memory;
  readonly #exclusively: Exclusively;
  readonly #buffers = new Map<Variable, GPUBuffer>();
  readonly #storage: VariableStorage;

  /** @param exclusively runs a job after those that were given before it */
  constructor(device: Device, memory: Memory, exclusively: Exclusively) {
    this.#device = device;
    this.#memory = memory;
    this.#exclusively = exclusively;
    this.#storage = {
      read: (variable) => this.#read(variable, this.bufferOf(variable)),
      write: (variable, data) => {
        const buffer = this.bufferOf(variable);
        return exclusively(() => memory.write(buffer, data));
      },
      take: async (variable) => {
        const buffer = this.bufferOf(variable);
        // Programs that begin from now on do not find it.
        this.#buffers.delete(variable);
        try {
          return await this.#read(variable, buffer, () => memory.free(buffer));
        } catch (error) {
          // Whoever asks for it again is told the same.
          this.#buffers.set(variable, buffer);
          throw error;
        }
      },
    };
  }

  has(variable: Variable): boolean {
    return this.#buffers.has(variable);
  }

  /** @throws OutOfMemory where there is no room; then the value stays where it is */
  async bring(variable: Variable): Promise<void> {
    const what = `variable ${variable.name}`;
    const [buffer] = await this.#exclusively(() => this.#memory.allocate([bytesFor(variable.size)], what));
    try {
      await variable.moveTo(this.#storage, (data) => {
        this.#memory.write(buffer, data);
        this.#buffers.set(variable, buffer);
      });
    } catch (error) {
      this.#memory.free(buffer);
      throw error;
    }
  }

  /** Good for programs that begin now. */
  bufferOf(variable: Variable): GPUBuffer {
    const buffer = this.#buffers.get(variable);
    if (!buffer) throw new Error(`internal: variable ${variable.name} is not on this device`);
    return buffer;
  }

  async moveAllToHost(): Promise<void> {
    for (const variable of this.#buffers.keys()) await variable.moveToHost();
  }

  /** @param submitted is called as soon as the GPU has been told to copy the value */
  async #read({ dtype, size: length }: Variable, buffer: GPUBuffer, submitted = (): void => {}): Promise<TypedArray> {
    const arrived = await this.#exclusively(async () => {
      const encoder = this.#device.gpu.createCommandEncoder();
      const arrived = await this.#memory.read(encoder, [{ buffer, dtype, length }]);
      this.#device.gpu.queue.submit([encoder.finish()]);
      submitted();
      return arrived;
    });
    return (await arrived())[0];
  }
}
