/** A WebAssembly expression in text form. */
export type Code = string;

export type ValueType = "i32" | "f32" | "v128";

export const get = (local: string): Code => `(local.get ${local})`;
export const set = (local: string, value: Code): Code => `(local.set ${local} ${value})`;
export const i32 = (value: number): Code => `(i32.const ${value})`;

/** Sums and products of addresses, with the neutral constants left out. */
export function add(a: Code, b: Code): Code {
  if (a === i32(0)) return b;
  return b === i32(0) ? a : `(i32.add ${a} ${b})`;
}

export function multiply(a: Code, factor: number): Code {
  if (factor === 1) return a;
  const constant = /^\(i32\.const (-?\d+)\)$/.exec(a);
  return constant ? i32(Number(constant[1]) * factor) : `(i32.mul ${a} ${i32(factor)})`;
}

/** Collects the lines of one function; locals are declared as they are asked for. */
export class FunctionWriter {
  readonly #constants = new Map<Code, string>();
  readonly #locals: string[] = [];
  #lines: string[] = [];

  local(type: ValueType): string {
    const name = `$${type[0]}${this.#locals.length}`;
    this.#locals.push(` (local ${name} ${type})`);
    return name;
  }

  line(code: Code): void {
    this.#lines.push(code);
  }

  /**
   * A vector constant, set once at the start of the function: V8 builds one from several instructions where it
   * stands, also inside a loop.
   */
  constant(value: Code): Code {
    const known = this.#constants.get(value) ?? this.local("v128");
    this.#constants.set(value, known);
    return get(known);
  }

  /** A fresh local that holds a value. */
  bind(type: ValueType, value: Code): string {
    const local = this.local(type);
    this.line(set(local, value));
    return local;
  }

  /** The lines that `body` writes, as one string. */
  capture(body: () => void): Code {
    const outer = this.#lines;
    this.#lines = [];
    body();
    const lines = this.#lines;
    this.#lines = outer;
    return lines.join("\n");
  }

  /** Repeats `body` while a counter runs from `start` to `end` by `step`; not at all if they meet. */
  loop(start: Code, end: Code, step: number, body: (counter: string) => void): void {
    const counter = this.bind("i32", start);
    const limit = end.startsWith("(i32.const") ? end : get(this.bind("i32", end));
    const label = `$loop_${counter.slice(1)}`;
    const lines = this.capture(() => body(counter));
    const again = `(br_if ${label} (i32.lt_s (local.tee ${counter} (i32.add ${get(counter)} ${i32(step)})) ${limit}))`;
    this.line(`(if (i32.lt_s ${get(counter)} ${limit}) (then (loop ${label}\n${lines}\n${again})))`);
  }

  when(condition: Code, body: () => void): void {
    this.line(`(if ${condition} (then\n${this.capture(body)}\n))`);
  }

  /** Declarations and lines, after some that come first. */
  finish(before: readonly Code[] = []): Code {
    const constants = [...this.#constants].map(([value, local]) => set(local, value));
    return `${this.#locals.join("")}\n${[...before, ...constants, ...this.#lines].join("\n")}`;
  }
}
