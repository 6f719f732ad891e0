/** Numbers that follow from a kernel's sizes, as fields of a uniform in the order in which its text names them. */
export class Sizes {
  readonly #fields: string[] = [];
  readonly #words: number[] = [];

  /** A field of this whole number, i32. */
  whole(value: number): string {
    return this.#field("i32", value);
  }

  /** A field of this number, f32. */
  float(value: number): string {
    return this.#field("f32", new Int32Array(Float32Array.of(value).buffer)[0]);
  }

  /** The uniform, if it has a field. */
  declaration(binding: number): string {
    if (this.#fields.length === 0) return "";
    return `struct Sizes { ${this.#fields.join(", ")} }
@group(0) @binding(${binding}) var<uniform> sizes: Sizes;`;
  }

  /** What the fields hold, as words. */
  words(): readonly number[] {
    return this.#words;
  }

  #field(type: string, word: number): string {
    const name = `n${this.#words.push(word) - 1}`;
    this.#fields.push(`${name}: ${type}`);
    return `sizes.${name}`;
  }
}
