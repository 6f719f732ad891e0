import type { Affine } from "../../../compiler/affine.ts";
import type { FunctionBuilder } from "../assembly/function-builder.ts";
import { constantOf } from "../assembly/instruction.ts";
import type { Integer, Local } from "../assembly/instruction.ts";
import { FIRST_ADDRESS, plus, times } from "./addresses.ts";

interface InductionVariable {
  readonly local: Local<"i32">;
  readonly base: Local<"i32"> | undefined;
  readonly scale: number;
  readonly coefficients: readonly number[];
  /** The smallest offset of its uses; larger ones, up to the largest, become constant offsets. */
  offset: number;
  largest: number;
}

/** A place that an access starts from: a local and a constant that is never negative. */
export interface Place {
  readonly local: Local<"i32">;
  readonly offset: number;
}

/**
 * Affine values that walk along with the loops: each is a local that is advanced by a constant when an axis
 * steps, so that no index is multiplied inside a loop. Addresses with equal steps share one local.
 */
export class InductionVariables {
  readonly #builder: FunctionBuilder;
  readonly #variables: InductionVariable[] = [];

  constructor(builder: FunctionBuilder) {
    this.#builder = builder;
  }

  /** To be called for every access before `start`. Base is a parameter or local with an address. */
  register(base: Local<"i32"> | undefined, index: Affine): void {
    const { coefficients, offset } = index;
    const known = this.#alike(base, index).find((variable) => canReach(variable, offset));
    if (known) {
      known.offset = Math.min(known.offset, offset);
      known.largest = Math.max(known.largest, offset);
      return;
    }
    const local = this.#builder.local("i32");
    const scale = base === undefined ? 1 : 4;
    this.#variables.push({ local, base, scale, coefficients, offset, largest: offset });
  }

  /** Sets every variable for the given start of each axis. */
  start(at: readonly Integer[]): void {
    for (const { local, base, scale, coefficients, offset } of this.#variables) {
      let value: Integer = offset * scale;
      coefficients.forEach((c, axis) => {
        if (c !== 0 && constantOf(at[axis]) !== 0) value = plus(value, times(at[axis], c * scale));
      });
      this.#builder.set(local, base === undefined ? value : plus(base, value));
    }
  }

  /** Moves by so many steps of several axes at once. */
  advance(steps: readonly (readonly [axis: number, count: number])[]): void {
    for (const { local, scale, coefficients } of this.#variables) {
      const bytes = steps.reduce((sum, [axis, count]) => sum + coefficients[axis] * count, 0) * scale;
      if (bytes !== 0) this.#builder.increase(local, bytes);
    }
  }

  /** Where an address (in bytes) or an integer value stands now. */
  place(base: Local<"i32"> | undefined, index: Affine): Place {
    const found = this.#alike(base, index).find(
      (variable) => variable.offset <= index.offset && index.offset <= variable.largest,
    );
    if (!found) throw new Error("internal: an index was not registered before its loop");
    return { local: found.local, offset: (index.offset - found.offset) * found.scale };
  }

  /** Those that differ from an index in the offset alone. */
  #alike(base: Local<"i32"> | undefined, { coefficients }: Affine): InductionVariable[] {
    return this.#variables.filter(
      (variable) =>
        variable.base === base &&
        variable.coefficients.length === coefficients.length &&
        variable.coefficients.every((coefficient, axis) => coefficient === coefficients[axis]),
    );
  }
}

/**
 * Whether a variable may serve one more offset. An access adds its constant offset to an address without wrapping, so a
 * variable must not be negative where the use with the largest offset stands in its buffer; it is never further below
 * that buffer's start than the smallest offset is below the largest.
 */
function canReach({ base, scale, offset, largest }: InductionVariable, other: number): boolean {
  return base === undefined || (Math.max(largest, other) - Math.min(offset, other)) * scale <= FIRST_ADDRESS;
}
