const deepest = 128;
const mostKeys = 1_000_000;

/**
 * Reads JSON from outside step by step, as the caller asks for it. Unlike JSON.parse it refuses an object with two
 * equal keys, tells 2 from 2.0, and keeps nothing that nobody asks for, so that a hostile text costs no memory.
 */
export class JsonCursor {
  readonly #text: string;
  readonly #fail: (problem: string) => never;
  #at = 0;

  constructor(text: string, fail: (problem: string) => never) {
    this.#text = text;
    this.#fail = fail;
  }

  /** Reads `{...}`; `member` must read the value of each key. */
  object(member: (key: string) => void): void {
    const keys = new Set<string>();
    this.#items("{", "}", () => {
      const key = this.string();
      if (keys.size === mostKeys) this.#fail(`more than ${mostKeys} keys in one object`);
      if (keys.has(key)) this.#fail(`the key ${JSON.stringify(key.slice(0, 80))} appears twice`);
      keys.add(key);
      this.#expect(":");
      member(key);
    });
  }

  /** Reads `[...]`; `element` must read each value. */
  array(element: (index: number) => void): void {
    this.#items("[", "]", element);
  }

  string(): string {
    const start = this.#at;
    this.#expect('"');
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"')
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    this.#at++;
    try {
      const text: unknown = JSON.parse(this.#text.slice(start, this.#at));
      if (typeof text === "string") return text;
    } catch {
      // Falls to the failure below: a control character, an unknown escape, or no closing quote.
    }
    this.#at = start;
    return this.#unexpected("a string");
  }

  /** Reads a whole number that is not negative, written without fraction and exponent, and exact in a JavaScript number. */
  natural(): number {
    const literal = this.#match(/(?:0|[1-9]\d*)(?![\d.eE])/y);
    const value = Number(literal ?? NaN);
    return Number.isSafeInteger(value) ? value : this.#unexpected("a whole number that is not negative");
  }

  /** Reads `null` if it is next, and says whether it was. */
  null(): boolean {
    return this.#match(/null/y) !== undefined;
  }

  /** Reads any value and drops it. */
  skip(depth = 0): void {
    this.#space();
    const next = this.#text[this.#at];
    if (depth === deepest) this.#fail(`more than ${deepest} levels of nesting`);
    if (next === "{") this.#items("{", "}", () => this.#skipMember(depth + 1));
    else if (next === "[") this.array(() => this.skip(depth + 1));
    else if (next === '"') this.string();
    else if (!this.#match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y)) this.#unexpected("a value");
  }

  #skipMember(depth: number): void {
    this.string();
    this.#expect(":");
    this.skip(depth);
  }

  /** Checks that nothing but space is left. */
  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#unexpected("the end");
  }

  #items(open: string, close: string, read: (index: number) => void): void {
    this.#expect(open);
    this.#space();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return;
    }
    for (let index = 0; ; index++) {
      this.#space();
      read(index);
      this.#space();
      if (this.#text[this.#at] === close) break;
      this.#expect(",");
    }
    this.#at++;
  }

  #space(): void {
    this.#match(/[ \t\n\r]*/y);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #expect(character: string): void {
    this.#space();
    if (this.#text[this.#at] !== character) this.#unexpected(character);
    this.#at++;
  }

  #unexpected(wanted: string): never {
    const here = this.#text.slice(this.#at, this.#at + 20);
    return this.#fail(`expected ${wanted} at character ${this.#at} of its JSON, found ${JSON.stringify(here)}`);
  }
}
