import { PROGRESS_ADDRESS } from "../program/address-space.ts";

const WORD = PROGRESS_ADDRESS / 4;
/** As an address, more than any. */
const END = -1;

/** How far threads are in a program's table, as the first one tells at the steps that it is asked to. */
export class Progress {
  readonly #words: Int32Array;
  readonly #ended: Promise<void>;
  #end: () => void = () => {};

  /** Of the program that begins now. */
  constructor({ buffer }: WebAssembly.Memory) {
    this.#words = new Int32Array(buffer);
    this.#ended = new Promise((resolve) => (this.#end = resolve));
    Atomics.store(this.#words, WORD, 0);
  }

  /** Nobody waits any more, whether all has run or not. */
  end(): void {
    Atomics.store(this.#words, WORD, END);
    Atomics.notify(this.#words, WORD);
    this.#end();
  }

  /** Waits until all that stands before an address of the table has run; until the end where the engine does not tell. */
  async reached(address: number): Promise<void> {
    if (this.#words.buffer instanceof ArrayBuffer || !("waitAsync" in Atomics)) return this.#ended;
    for (;;) {
      const now = Atomics.load(this.#words, WORD);
      if (now >>> 0 >= address) return;
      await Atomics.waitAsync(this.#words, WORD, now).value;
    }
  }
}
