import type { Affine } from "../../../compiler/affine.ts";
import { constantOf } from "../assembly/instruction.ts";
import type { Integer } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";

/** Memory below this address is never given out: no buffer starts below it. */
export const FIRST_ADDRESS = 2 ** 20;

/** A cache line: pieces of memory start at one, so that no two share one. */
export const LINE_BYTES = 64;

export function wholeLines(bytes: number): number {
  return LINE_BYTES * Math.ceil(bytes / LINE_BYTES);
}

/** a + b, without an instruction for nothing. */
export function plus(a: Integer, b: Integer): Integer {
  if (constantOf(a) === 0) return b;
  return constantOf(b) === 0 ? a : i32.add(a, b);
}

/** a * factor, without an instruction for a constant. */
export function times(a: Integer, factor: number): Integer {
  if (factor === 1) return a;
  const constant = constantOf(a);
  return constant === undefined ? i32.mul(a, factor) : constant * factor;
}

/** base + 4 * (the affine value at the given axes); axes without an entry count as 0. */
export function addressAt(base: Integer, index: Affine, at: readonly (Integer | undefined)[]): Integer {
  let address = plus(base, 4 * index.offset);
  index.coefficients.forEach((coefficient, axis) => {
    const position = at[axis];
    if (coefficient !== 0 && position !== undefined) address = plus(address, times(position, 4 * coefficient));
  });
  return address;
}
