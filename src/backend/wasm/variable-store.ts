import type { TypedArray } from "../../tensor/dtype.ts";
import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import type { Heap } from "./heap.ts";
import { copyOf, viewOf } from "./views.ts";

/** The variables whose values live in a backend's memory. */
export class VariableStore {
  readonly #heap: Heap;
  readonly #addresses = new Map<Variable, number>();
  readonly #storage: VariableStorage;

  /** @param exclusively runs a job when no program runs */
  constructor(heap: Heap, exclusively: <T>(job: () => Promise<T>) => Promise<T>) {
    this.#heap = heap;
    this.#storage = {
      read: (variable) => exclusively(async () => this.#read(variable)),
      write: (variable, data) => exclusively(async () => this.#write(variable, data)),
      free: (variable) => {
        this.#heap.free(this.#addressOf(variable), 4 * variable.size);
        this.#addresses.delete(variable);
      },
    };
  }

  /** The address of a variable's value, which moves here if it is elsewhere. */
  async bring(variable: Variable): Promise<number> {
    const known = this.#addresses.get(variable);
    if (known !== undefined) return known;
    const data = await variable.moveTo(this.#storage);
    const address = this.#heap.allocate(4 * variable.size);
    this.#addresses.set(variable, address);
    if (data) this.#write(variable, data);
    return address;
  }

  async moveAllToHost(): Promise<void> {
    for (const variable of this.#addresses.keys()) await variable.moveToHost();
  }

  #read(variable: Variable): TypedArray {
    return copyOf(this.#heap.memory, variable.dtype, this.#addressOf(variable), variable.size);
  }

  #write(variable: Variable, data: TypedArray): void {
    viewOf(this.#heap.memory, variable.dtype, this.#addressOf(variable), variable.size).set(data);
  }

  #addressOf(variable: Variable): number {
    const address = this.#addresses.get(variable);
    if (address === undefined) throw new Error(`internal: variable ${variable.name} is not on this device`);
    return address;
  }
}
