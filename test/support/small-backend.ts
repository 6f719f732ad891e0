import type { Backend, Executable } from "../../src/backend/backend.ts";
import { OutOfMemory } from "../../src/backend/common/out-of-memory.ts";
import type { Graph } from "../../src/tensor/graph.ts";
import { sizeOf } from "../../src/tensor/shape.ts";

/** A device with little memory: it refuses programs with an input of more elements than `limit`. */
export class SmallBackend implements Backend {
  readonly name;
  readonly description;
  readonly precision;
  readonly #backend: Backend;
  readonly #limit: number;

  constructor(backend: Backend, limit: number) {
    this.name = backend.name;
    this.description = backend.description;
    this.precision = backend.precision;
    this.#backend = backend;
    this.#limit = limit;
  }

  get isClosed(): boolean {
    return this.#backend.isClosed;
  }

  async load(graph: Graph): Promise<Executable> {
    const largest = Math.max(...graph.inputs.map(({ shape }) => sizeOf(shape)));
    if (largest > this.#limit) throw new OutOfMemory(`${largest} elements do not fit`, 4 * largest);
    return this.#backend.load(graph);
  }

  exchange(...given: Parameters<Backend["exchange"]>): Promise<void> {
    return this.#backend.exchange(...given);
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}
