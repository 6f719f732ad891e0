import type { TypedArray } from "../../../tensor/dtype.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { VariableMemory } from "../../common/variable-store.ts";
import { bytesFor } from "./memory.ts";
import type { Memory, Place } from "./memory.ts";

/** Where a variable's value is now: those that a program wants together share a buffer. */
export interface VariablePlace extends Place {
  buffer: GPUBuffer;
  offset: number;
  readonly bytes: number;
}

/** A GPU's memory as that of variables. */
export class BufferVariables implements VariableMemory<VariablePlace> {
  readonly #memory: Memory;
  readonly #queue: JobQueue;
  /** How many variables are in a buffer. */
  readonly #tenants = new Map<GPUBuffer, number>();

  constructor(memory: Memory, queue: JobQueue) {
    this.#memory = memory;
    this.#queue = queue;
  }

  async allocate({ name, size }: Variable): Promise<VariablePlace> {
    const bytes = bytesFor(size);
    const [buffer] = await this.#queue.run(() => this.#memory.allocate([bytes], `variable ${name}`));
    this.#tenants.set(buffer, 1);
    return { buffer, offset: 0, bytes };
  }

  /**
   * Has variables lie in one buffer, one after another; they move where they do not. To be called in the queue.
   *
   * @param starts where each is to start, in bytes from the first
   * @throws OutOfMemory where they would not fit; then they stay where they are
   */
  async gather(places: readonly VariablePlace[], starts: readonly number[]): Promise<void> {
    const [first] = places;
    const isThere = ({ buffer, offset }: VariablePlace, i: number): boolean =>
      buffer === first.buffer && offset === first.offset + starts[i];
    if (places.every(isThere)) return;
    const last = places.length - 1;
    const [together] = await this.#memory.allocate([starts[last] + places[last].bytes], "variables of one program");
    this.#memory.copy(places.map((place, i) => ({ from: place, to: { buffer: together, offset: starts[i] } })));
    places.forEach((place, i) => {
      this.#leave(place.buffer);
      [place.buffer, place.offset] = [together, starts[i]];
    });
    this.#tenants.set(together, places.length);
  }

  async initialize(place: VariablePlace, _: Variable, data: TypedArray): Promise<void> {
    this.#memory.write(place, data);
  }

  write(place: VariablePlace, _: Variable, data: TypedArray): Promise<void> {
    return this.#queue.run(() => this.#memory.write(place, data));
  }

  async read(place: VariablePlace, { dtype, size: length }: Variable): Promise<TypedArray> {
    const arrived = await this.#queue.run(() => this.#memory.readNow([{ place, dtype, length }]));
    return (await arrived())[0];
  }

  free(place: VariablePlace): void {
    this.#queue.free(() => this.#leave(place.buffer));
  }

  /** Frees a buffer with the last that leaves it. */
  #leave(buffer: GPUBuffer): void {
    const left = (this.#tenants.get(buffer) ?? 1) - 1;
    this.#tenants.set(buffer, left);
    if (left > 0) return;
    this.#tenants.delete(buffer);
    this.#memory.free(buffer);
  }
}
