import { sizeOf } from "../../../tensor/shape.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** From here on a quotient by floats could be off by more than one. */
const MOST_QUOTIENT = 2 ** 20;

/**
 * Splits a flat number, i32 and not negative, into an index per axis; "0" along axes of 1. In numbers without a sign,
 * and with one division for an axis: a GPU divides by a constant in several instructions, of which some are slow.
 */
export function decode(shader: ShaderWriter, axes: readonly number[], flat: Code, prefix = "i"): Code[] {
  if (shader.hasOpenSizes) return decodeOpen(shader, axes, flat, prefix);
  let inner = sizeOf(axes);
  /** How many whole runs of the axes that follow lie before, as u32. */
  let runs: Code | undefined;
  return axes.map((n) => {
    inner /= n;
    if (n === 1) return "0";
    const outer = runs;
    if (outer === undefined && inner === 1) return flat;
    runs = inner === 1 ? `u32(${flat})` : shader.bind("runs", `u32(${flat}) / ${inner}u`);
    if (outer === undefined) return shader.bind(prefix, `i32(${runs})`);
    return shader.bind(prefix, `i32(${isPowerOfTwo(n) ? `${runs} % ${n}u` : `${runs} - ${outer} * ${n}u`})`);
  });
}

/** The same where a compiler knows no axis: a division by a number that it knows is cheap, and any other is not. */
function decodeOpen(shader: ShaderWriter, axes: readonly number[], flat: Code, prefix: string): Code[] {
  const last = axes.findLastIndex((n) => n > 1);
  let rest = flat;
  return axes.map((n, axis) => {
    if (n === 1) return "0";
    if (axis === last) return rest;
    const inner = sizeOf(axes.slice(axis + 1));
    const size = shader.size(inner);
    const isSmall = n <= MOST_QUOTIENT;
    const quotient = isSmall
      ? `${shader.use("quotient")}(${rest}, ${size}, ${shader.fraction(1 / inner)})`
      : `${rest} / ${size}`;
    const index = shader.bind(prefix, quotient);
    rest = shader.bind(prefix, `${rest} - ${index} * ${size}`);
    return index;
  });
}

function isPowerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}
