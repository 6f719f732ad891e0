/** Whether a backend still takes work. */
export class Lifetime {
  readonly #backend: string;
  #ended: Promise<void> | undefined;
  #isEnding = false;

  /** @param backend its name, for messages */
  constructor(backend: string) {
    this.#backend = backend;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** @throws once the backend is being closed */
  check(): void {
    if (this.#isEnding) throw this.closed();
  }

  closed(): Error {
    return new Error(`${this.#backend}: the backend is closed`);
  }

  /** From now on {@link check} throws. `close` runs once, however often this is called. */
  end(close: () => Promise<void>): Promise<void> {
    this.#isEnding = true;
    return (this.#ended ??= close());
  }
}
