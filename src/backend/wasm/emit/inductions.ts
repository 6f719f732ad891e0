import type { Affine } from "../../../compiler/affine.ts";
import type { Code, FunctionWriter } from "./writer.ts";
import { add, get, i32, multiply, set } from "./writer.ts";

interface Induction {
  readonly local: string;
  readonly base: string | undefined;
  readonly scale: number;
  readonly coefficients: readonly number[];
  /** The smallest offset of its uses; larger ones become constant offsets. */
  offset: number;
}

/** A place that an access starts from: a local and a constant that is never negative. */
export interface Place {
  readonly local: string;
  readonly offset: number;
}

/**
 * Affine values that walk along with the loops: each is a local that is advanced by a constant when an axis
 * steps, so that no index is multiplied inside a loop. Addresses with equal steps share one local.
 */
export class Inductions {
  readonly #writer: FunctionWriter;
  readonly #byKey = new Map<string, Induction>();

  constructor(writer: FunctionWriter) {
    this.#writer = writer;
  }

  /** To be called for every access before `start`. Base is a parameter or local with an address. */
  register(base: string | undefined, index: Affine): void {
    const key = keyOf(base, index);
    const known = this.#byKey.get(key);
    if (known) known.offset = Math.min(known.offset, index.offset);
    else {
      const scale = base === undefined ? 1 : 4;
      this.#byKey.set(key, {
        local: this.#writer.local("i32"),
        base,
        scale,
        coefficients: index.coefficients,
        offset: index.offset,
      });
    }
  }

  /** Sets every local for the given start of each axis. */
  start(at: readonly Code[]): void {
    for (const { local, base, scale, coefficients, offset } of this.#byKey.values()) {
      let value = i32(offset * scale);
      coefficients.forEach((c, axis) => {
        if (c !== 0 && at[axis] !== i32(0)) value = add(value, multiply(at[axis], c * scale));
      });
      this.#writer.line(set(local, base === undefined ? value : add(get(base), value)));
    }
  }

  /** Moves by so many steps of several axes at once. */
  advance(steps: readonly (readonly [axis: number, count: number])[]): void {
    for (const { local, scale, coefficients } of this.#byKey.values()) {
      const bytes = steps.reduce((sum, [axis, count]) => sum + coefficients[axis] * count, 0) * scale;
      if (bytes !== 0) this.#writer.line(set(local, `(i32.add ${get(local)} ${i32(bytes)})`));
    }
  }

  /** Where an address (in bytes) or an integer value stands now. */
  place(base: string | undefined, index: Affine): Place {
    const found = this.#byKey.get(keyOf(base, index));
    if (!found) throw new Error("internal: an index was not registered before its loop");
    return { local: found.local, offset: (index.offset - found.offset) * found.scale };
  }
}

function keyOf(base: string | undefined, index: Affine): string {
  return `${base} ${index.coefficients.join()}`;
}
