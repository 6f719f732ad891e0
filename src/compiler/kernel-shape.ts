import type { Buffer, Kernel } from "./program.ts";

/** A kernel apart from which buffers it works on: those of one shape have the same code. */
export interface KernelShape {
  readonly key: string;
  /** The buffers that the key tells apart by their places in this list. */
  readonly buffers: readonly Buffer[];
}

/** @param options.withLengths whether buffers of different lengths make different shapes; by default they do */
export function shapeOf(kernel: Kernel, { withLengths = true } = {}): KernelShape {
  const writer = new ShapeWriter(withLengths);
  writer.write(kernel);
  return { key: writer.text, buffers: [...writer.buffers.keys()] };
}

/** Writes down all that kernels are made of, whatever that is, with numbers for buffers and for what is shared. */
class ShapeWriter {
  text = "";
  readonly buffers = new Map<Buffer, number>();
  readonly #nodes = new Map<object, number>();
  readonly #withLengths: boolean;

  constructor(withLengths: boolean) {
    this.#withLengths = withLengths;
  }

  write(value: unknown): void {
    if (typeof value !== "object" || value === null) this.text += Object.is(value, -0) ? "-0" : String(value);
    else if (Array.isArray(value)) this.#list(value);
    else if (isBuffer(value)) this.#buffer(value);
    else this.#object(value);
    this.text += ",";
  }

  #list(values: readonly unknown[]): void {
    this.text += "[";
    for (const value of values) this.write(value);
    this.text += "]";
  }

  #buffer(buffer: Buffer): void {
    const known = this.buffers.get(buffer);
    const number = known ?? this.buffers.size;
    this.text += `b${number}`;
    if (known !== undefined) return;
    this.buffers.set(buffer, number);
    this.text += `:${buffer.dtype}${this.#withLengths ? buffer.length : ""}`;
  }

  /** What an expression uses twice is computed once, which tells it from an equal one that does not share. */
  #object(object: object): void {
    const isNode = "kind" in object;
    const known = isNode ? this.#nodes.get(object) : undefined;
    if (known !== undefined) {
      this.text += `#${known}`;
      return;
    }
    if (isNode) this.#nodes.set(object, this.#nodes.size);
    this.text += "{";
    for (const key in object) {
      this.text += `${key}:`;
      this.write(object[key as keyof typeof object]);
    }
    this.text += "}";
  }
}

function isBuffer(object: object): object is Buffer {
  return "source" in object;
}
