import { writeFileAtomic } from "../../src/io/atomic.node.ts";

export interface PartsOptions {
  /** The JSON file, which is written after each part. */
  readonly out: string;
  /** No part begins after so many seconds, and none goes on for longer. */
  readonly seconds: number;
  /** Aborted when all is to stop. */
  readonly signal: AbortSignal;
  /** Seconds that a part has to come to an end once its signal is aborted; then it is left behind. */
  readonly patience?: number;
  readonly say: (line: string) => void;
  /** Parts without this in their names are left out. */
  readonly only?: string | undefined;
}

/** What a part does. It gives what it has when its signal is aborted. */
export type Work = (signal: AbortSignal) => Promise<unknown>;

/** The parts of a long run, one after another. What goes wrong in one, or takes too long, leaves the others as they are. */
export class Parts {
  readonly #options: PartsOptions;
  readonly #results: Record<string, unknown>;
  readonly #cutShort: string[] = [];
  readonly #start = performance.now();

  /** @param facts what the file says besides what parts give */
  constructor(options: PartsOptions, facts: Readonly<Record<string, unknown>>) {
    this.#options = options;
    this.#results = { ...facts };
  }

  /** Everything that the file says. */
  get results(): Readonly<Record<string, unknown>> {
    return { ...this.#results, cutShort: this.#cutShort, seconds: this.#elapsed };
  }

  /** @param seconds that the part may take */
  async run(name: string, seconds: number, work: Work): Promise<void> {
    const { out, seconds: most, signal, only = "" } = this.#options;
    if (signal.aborted || !name.includes(only)) return;
    const begin = this.#elapsed;
    if (begin >= most) {
      this.say(`${name}: skipped`);
      this.#results[name] = { skipped: `${Math.round(begin)} s had passed` };
    } else {
      this.say(name);
      this.#results[name] = await this.#within(name, Math.min(seconds, most - begin), work);
    }
    await writeFileAtomic(out, `${JSON.stringify(this.results, undefined, 2)}\n`);
  }

  /** A line with the time. */
  say(line: string): void {
    this.#options.say(`${this.#elapsed.toFixed(0).padStart(4)} s  ${line}`);
  }

  get #elapsed(): number {
    return (performance.now() - this.#start) / 1000;
  }

  async #within(name: string, seconds: number, work: Work): Promise<unknown> {
    const { patience = 15 } = this.#options;
    const own = new AbortController();
    const signal = AbortSignal.any([own.signal, this.#options.signal]);
    const timer = setTimeout(() => own.abort(new Error(`${Math.round(seconds)} s had passed`)), 1000 * seconds);
    const ended = work(signal).catch((error: unknown) => {
      const line = String(error).split("\n", 1)[0];
      this.say(`${name}: ${line}`);
      return { error: line };
    });
    try {
      const result = await Promise.race([ended, left(signal, patience)]);
      if (signal.aborted) {
        this.#cutShort.push(name);
        this.say(`${name}: cut short`);
      }
      return result;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What there is of a part that did not come to an end so many seconds after its signal was aborted. */
function left(signal: AbortSignal, patience: number): Promise<unknown> {
  return new Promise((resolve) => {
    const leave = (): void => resolve({ error: `it came to no end ${patience} s after it was to stop` });
    signal.addEventListener("abort", () => setTimeout(leave, 1000 * patience).unref());
  });
}
