import { ndarray } from "./ndarray.ts";
import type { NdArray } from "./ndarray.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Numbers that a program takes by name, side by side in one input: an input for each would be more buffers than a GPU binds
 * at a time.
 */
export class NumberVector<Name extends string> {
  readonly #names: readonly Name[];

  constructor(names: readonly Name[]) {
    this.#names = names;
  }

  /** f32 [names] */
  pack(values: Readonly<Record<Name, number>>): NdArray {
    return ndarray(
      this.#names.map((name) => values[name]),
      [this.#names.length],
    );
  }

  /** Each as a scalar. */
  unpack(vector: Tensor): Readonly<Record<Name, Tensor>> {
    const scalars = this.#names.map((name, i) => [name, vector.slice(0, i, i + 1).reshape([])] as const);
    return Object.fromEntries(scalars) as Record<Name, Tensor>;
  }
}
