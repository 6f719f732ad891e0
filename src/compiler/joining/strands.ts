import type { Buffer } from "../program.ts";

/**
 * Buffers that kernels use together, such as a layer's filter, its standardized form and its gradient. Lists that have one buffer of
 * each of some strands are all put in one order.
 */
export class Strands {
  readonly #next = new Map<Buffer, Buffer>();
  readonly #ranks = new Map<Buffer, number>();

  /** Has buffers be of one strand. */
  tie(buffers: readonly Buffer[]): void {
    const firsts = buffers.map((buffer) => this.#firstOf(buffer));
    const [first] = firsts.toSorted((a, b) => this.#rank(a) - this.#rank(b));
    for (const other of firsts) if (other !== first) this.#next.set(other, first);
  }

  /** The place of a buffer's strand among all, by which of its buffers was the first to be tied. */
  placeOf(buffer: Buffer): number {
    return this.#rank(this.#firstOf(buffer));
  }

  #firstOf(buffer: Buffer): Buffer {
    let first = buffer;
    for (let next = this.#next.get(first); next; next = this.#next.get(first)) first = next;
    if (first !== buffer) this.#next.set(buffer, first);
    return first;
  }

  #rank(buffer: Buffer): number {
    const rank = this.#ranks.get(buffer) ?? this.#ranks.size;
    this.#ranks.set(buffer, rank);
    return rank;
  }
}
