import type { Memory } from "./memory.ts";

interface Slot {
  readonly buffer: GPUBuffer;
  users: number;
}

/** Buffers for intermediate results. Programs share them, as one runs after the other. */
export class Workspace {
  readonly #memory: Memory;
  readonly #slots: Slot[] = [];

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Buffers of at least these sizes, in bytes, for one program.
   *
   * @throws OutOfMemory where they do not fit
   */
  async take(sizes: readonly number[]): Promise<GPUBuffer[]> {
    const order = sizes.map((_, i) => i).toSorted((a, b) => sizes[b] - sizes[a]);
    const free = this.#slots.toSorted((a, b) => a.buffer.size - b.buffer.size);
    const taken = new Map<number, Slot>();
    for (const i of order) {
      const at = free.findIndex(({ buffer }) => buffer.size >= sizes[i]);
      if (at === -1) continue;
      taken.set(i, free[at]);
      free.splice(at, 1);
    }
    const missing = order.filter((i) => !taken.has(i));
    const created = await this.#memory.allocate(
      missing.map((i) => sizes[i]),
      "the program",
    );
    created.forEach((buffer, n) => {
      const slot = { buffer, users: 0 };
      this.#slots.push(slot);
      taken.set(missing[n], slot);
    });
    return sizes.map((_, i) => {
      const slot = taken.get(i);
      if (!slot) throw new Error("internal: a slot has no buffer");
      slot.users++;
      return slot.buffer;
    });
  }

  /** Gives back what `take` gave; what no program uses is freed. */
  release(buffers: readonly GPUBuffer[]): void {
    for (const buffer of buffers) {
      const at = this.#slots.findIndex((slot) => slot.buffer === buffer);
      if (at === -1) throw new Error("internal: a buffer is released twice");
      if (--this.#slots[at].users > 0) continue;
      this.#slots.splice(at, 1);
      this.#memory.free(buffer);
    }
  }
}
