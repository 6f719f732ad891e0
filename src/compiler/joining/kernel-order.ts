import { readsOf, writesOf } from "../accesses.ts";
import type { Buffer, Kernel } from "../program.ts";

/** The order of a program's kernels, in which some may move: what they read is made before, what reads them comes after. */
export class KernelOrder {
  readonly #places: Map<Kernel, number>;
  readonly #before = new Map<Kernel, Kernel[]>();
  readonly #after = new Map<Kernel, Kernel[]>();

  constructor(kernels: readonly Kernel[]) {
    this.#places = new Map(kernels.map((kernel, place) => [kernel, place]));
    const writer = new Map<Buffer, Kernel>();
    const readers = new Map<Buffer, Kernel[]>();
    const link = (before: Kernel | undefined, after: Kernel): void => {
      if (!before || before === after) return;
      push(this.#before, after, before);
      push(this.#after, before, after);
    };
    for (const kernel of kernels) {
      for (const buffer of readsOf(kernel)) {
        link(writer.get(buffer), kernel);
        push(readers, buffer, kernel);
      }
      for (const buffer of writesOf(kernel)) {
        link(writer.get(buffer), kernel);
        for (const reader of readers.get(buffer) ?? []) link(reader, kernel);
        writer.set(buffer, kernel);
        readers.delete(buffer);
      }
    }
  }

  placeOf(kernel: Kernel): number {
    return this.#places.get(kernel) ?? -1;
  }

  /** Whether a kernel may run with another, which stays where it is. */
  mayJoin(kernel: Kernel, other: Kernel): boolean {
    const [from, to] = [this.placeOf(kernel), this.placeOf(other)];
    return from < to
      ? (this.#after.get(kernel) ?? []).every((user) => this.placeOf(user) > to)
      : (this.#before.get(kernel) ?? []).every((maker) => this.placeOf(maker) < to);
  }

  join(kernel: Kernel, other: Kernel): void {
    this.#places.set(kernel, this.placeOf(other));
  }
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
