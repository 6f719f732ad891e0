import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable, VariableStorage } from "../../../tensor/variable.ts";
import type { Residence } from "../../common/arrivals.ts";
import type { Heap } from "./heap.ts";
import { copyOf, viewOf } from "./views.ts";

/** The variables whose values live in a backend's memory. */
export class VariableStore implements Residence {
  readonly #heap: Heap;
  readonly #exclusively: <T>(job: () => Promise<T>) => Promise<T>;
  readonly #addresses = new Map<Variable, number>();
  readonly #storage: VariableStorage;

  /** @param exclusively runs a job when no program runs */
  constructor(heap: Heap, exclusively: <T>(job: () => Promise<T>) => Promise<T>) {
    this.#heap = heap;
    this.#exclusively = exclusively;
    this.#storage = {
      read: (variable) => {
        const address = this.addressOf(variable);
        return exclusively(async () => copyOf(heap.memory, variable.dtype, address, variable.size));
      },
      write: (variable, data) => {
        const address = this.addressOf(variable);
        return exclusively(async () => this.#write(variable, address, data));
      },
      take: (variable) => {
        const address = this.addressOf(variable);
        // Programs that begin from now on do not find it.
        this.#addresses.delete(variable);
        return exclusively(async () => {
          const data = copyOf(heap.memory, variable.dtype, address, variable.size);
          heap.free(address, 4 * variable.size);
          return data;
        });
      },
    };
  }

  has(variable: Variable): boolean {
    return this.#addresses.has(variable);
  }

  /** @throws OutOfMemory where there is no room; then the value stays where it is */
  async bring(variable: Variable): Promise<void> {
    const address = await this.#exclusively(async () => this.#heap.allocate(4 * variable.size));
    try {
      await variable.moveTo(this.#storage, (data) => {
        this.#write(variable, address, data);
        this.#addresses.set(variable, address);
      });
    } catch (error) {
      this.#heap.free(address, 4 * variable.size);
      throw error;
    }
  }

  /** Good for programs that begin now. */
  addressOf(variable: Variable): number {
    const address = this.#addresses.get(variable);
    if (address === undefined) throw new Error(`internal: variable ${variable.name} is not on this device`);
    return address;
  }

  async moveAllToHost(): Promise<void> {
    for (const variable of this.#addresses.keys()) await variable.moveToHost();
  }

  #write(variable: Variable, address: number, data: TypedArray): void {
    viewOf(this.#heap.memory, variable.dtype, address, variable.size).set(data);
  }
}
