/** Images that are decoded at a time. */
const PARALLEL = 8;

/**
 * Decoded images, of which the first ones stay in memory. Training reads all images equally often, so that no rule
 * about which ones to keep would hit more often than this.
 */
export class KeptImages {
  readonly #imageBytes: number;
  readonly #decode: (index: number) => Promise<Uint8Array>;
  readonly #kept: Uint8Array;
  readonly #ready: Uint8Array;

  /** @param memoryBytes that the kept ones may take */
  constructor(count: number, imageBytes: number, memoryBytes: number, decode: (index: number) => Promise<Uint8Array>) {
    this.#imageBytes = imageBytes;
    this.#decode = decode;
    const slots = Math.min(count, Math.floor(memoryBytes / imageBytes));
    this.#kept = new Uint8Array(slots * imageBytes);
    this.#ready = new Uint8Array(slots);
  }

  async read(indices: ArrayLike<number>, out: Uint8Array): Promise<void> {
    await inParallel(indices.length, async (at) => {
      out.set(await this.#image(indices[at]), at * this.#imageBytes);
    });
  }

  async #image(index: number): Promise<Uint8Array> {
    const slot = this.#kept.subarray(index * this.#imageBytes, (index + 1) * this.#imageBytes);
    if (this.#ready[index] === 1) return slot;
    const image = await this.#decode(index);
    if (index < this.#ready.length) {
      slot.set(image);
      this.#ready[index] = 1;
    }
    return image;
  }
}

/** Works on 0 to count - 1, a few at a time. */
export async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, count) }, worker));
}
