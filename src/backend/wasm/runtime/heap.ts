import { FIRST_ADDRESS, LINE_BYTES, wholeLines } from "../emit/addresses.ts";
import { ADDRESS_LIMIT, PAGE, SLACK, outOfMemory } from "../program/address-space.ts";

/** Pages: twice what is never given out. */
const FIRST_PAGES = (2 * FIRST_ADDRESS) / PAGE;
/** Pages, 256 MiB. */
const LEAST_MAXIMUM = 4096;

interface FreeBlock {
  start: number;
  bytes: number;
}

/** Hands out pieces of one memory, first fit, and grows it. */
export class Heap {
  readonly memory: WebAssembly.Memory;
  /** Whether threads share the memory. */
  readonly shared: boolean;
  #free: FreeBlock[] = [];
  #top = FIRST_ADDRESS;
  #allocatedBytes = 0;

  constructor(shared: boolean) {
    this.shared = shared;
    this.memory = growableMemory(shared);
  }

  /** Bytes that are handed out now. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** @throws if wasm32's 4 GiB do not suffice */
  allocate(bytes: number): number {
    const size = sizeFor(bytes);
    const at = this.#free.findIndex((block) => block.bytes >= size);
    if (at !== -1) {
      const block = this.#free[at];
      const { start } = block;
      block.start += size;
      block.bytes -= size;
      if (block.bytes === 0) this.#free.splice(at, 1);
      this.#allocatedBytes += size;
      return start;
    }
    const start = this.#top;
    const end = start + size;
    if (end + SLACK > ADDRESS_LIMIT) throw outOfMemory(end + SLACK);
    this.#growTo(end + SLACK);
    this.#top = end;
    this.#allocatedBytes += size;
    return start;
  }

  /**
   * Pieces that lie side by side, in their order; each is freed by itself.
   *
   * @throws if wasm32's 4 GiB do not suffice
   */
  allocateTogether(sizes: readonly number[]): number[] {
    const whole = sizes.map(sizeFor);
    let at = this.allocate(whole.reduce((sum, bytes) => sum + bytes, 0));
    return whole.map((bytes) => (at += bytes) - bytes);
  }

  free(start: number, bytes: number): void {
    const size = sizeFor(bytes);
    this.#allocatedBytes -= size;
    this.#free.push({ start, bytes: size });
    this.#free.sort((a, b) => a.start - b.start);
    this.#free = this.#free.reduce<FreeBlock[]>((merged, block) => {
      const last = merged.at(-1);
      if (last && last.start + last.bytes === block.start) last.bytes += block.bytes;
      else merged.push(block);
      return merged;
    }, []);
    const last = this.#free.at(-1);
    if (last && last.start + last.bytes === this.#top) {
      this.#top = last.start;
      this.#free.pop();
    }
  }

  #growTo(bytes: number): void {
    const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / PAGE);
    if (missing <= 0) return;
    try {
      this.memory.grow(missing);
    } catch {
      throw outOfMemory(bytes);
    }
  }
}

/** Bytes that a piece takes. */
export function sizeFor(bytes: number): number {
  return Math.max(LINE_BYTES, wholeLines(bytes));
}

/** Up to 4 GiB; less where an engine sets all of it aside at once, as on phones, and cannot. */
function growableMemory(shared: boolean, maximum = ADDRESS_LIMIT / PAGE): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: FIRST_PAGES, maximum, shared });
  } catch (error) {
    if (maximum <= LEAST_MAXIMUM) throw error;
    return growableMemory(shared, maximum / 2);
  }
}
