/** The bytes of a number in LEB128, 7 bits a byte, the lowest first. */
export function unsignedLeb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

const FLOAT_BYTES = new Uint8Array(8);
const FLOAT = new DataView(FLOAT_BYTES.buffer);

/** Bytes that grow at their end, as a binary module writes its parts. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  bytes(values: ArrayLike<number>): void {
    this.#reserve(values.length);
    // Opcodes are short: calling `set` would take longer than this.
    if (values.length < 16) for (let i = 0; i < values.length; i++) this.#bytes[this.#length + i] = values[i];
    else this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  /** In LEB128. */
  unsigned(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) + 128);
    this.byte(rest);
  }

  /** In LEB128, whose last byte's second bit is the sign. */
  signed(value: number): void {
    for (let rest = value; ;) {
      const low = ((rest % 128) + 128) % 128;
      rest = (rest - low) / 128;
      const isLast = rest === (low < 64 ? 0 : -1);
      this.byte(isLast ? low : low + 128);
      if (isLast) return;
    }
  }

  float32(value: number): void {
    FLOAT.setFloat32(0, withoutSign(value), true);
    this.bytes(FLOAT_BYTES.subarray(0, 4));
  }

  float64(value: number): void {
    FLOAT.setFloat64(0, withoutSign(value), true);
    this.bytes(FLOAT_BYTES);
  }

  /** Its length, then its bytes. */
  sized(values: ArrayLike<number>): void {
    this.unsigned(values.length);
    this.bytes(values);
  }

  text(text: string): void {
    this.sized(new TextEncoder().encode(text));
  }

  /** How many, then each. */
  list<T>(items: readonly T[], write: (item: T, index: number) => void): void {
    this.unsigned(items.length);
    items.forEach(write);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Of NaN, which JavaScript does not tell from another one: a module's bytes must not depend on it. */
function withoutSign(value: number): number {
  return Number.isNaN(value) ? NaN : value;
}
