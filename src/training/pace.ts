/** Images per second over the last steps. */
export class Pace {
  readonly #window: number;
  readonly #steps: { readonly images: number; readonly seconds: number }[] = [];
  #isFirst = true;
  #last = 0;

  /** @param window steps that count */
  constructor(window = 20) {
    this.#window = window;
  }

  /** What {@link add} returned last; 0 before the first step. */
  get last(): number {
    return this.#last;
  }

  /** Notes a step and returns the pace. The first step compiles: as soon as there is another one it no longer counts. */
  add(images: number, seconds: number): number {
    if (this.#steps.length === this.#window || (this.#isFirst && this.#steps.length === 1)) {
      this.#isFirst = false;
      this.#steps.shift();
    }
    this.#steps.push({ images, seconds });
    const total = (of: "images" | "seconds"): number => this.#steps.reduce((sum, step) => sum + step[of], 0);
    this.#last = total("images") / Math.max(total("seconds"), 1e-9);
    return this.#last;
  }
}
