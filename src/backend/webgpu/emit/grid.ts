import { sizeOf } from "../../../tensor/shape.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** From here on a quotient by floats could be off by more than one. */
const MOST_QUOTIENT = 2 ** 20;

/** Splits a flat number, i32 and not negative, into an index per axis; "0" along axes of 1. */
export type Decoder = (flat: Code, prefix?: string) => Code[];

/** A decoder for several numbers, which share the sizes that it needs. */
export function decoder(shader: ShaderWriter, axes: readonly number[]): Decoder {
  return shader.hasOpenSizes ? openDecoder(shader, axes) : (flat, prefix) => decodeKnown(shader, axes, flat, prefix);
}

/** The same without regard to axes of 1, so that numbers along them share the text with others. */
export function anyDecoder(shader: ShaderWriter, axes: readonly number[]): Decoder {
  return openDecoder(shader, axes, true);
}

export function decode(shader: ShaderWriter, axes: readonly number[], flat: Code, prefix?: string): Code[] {
  return decoder(shader, axes)(flat, prefix);
}

/**
 * The same along axes that stand in the text. In numbers without a sign, and with one division for an axis: a GPU divides
 * by a constant in several instructions, of which some are slow.
 */
export function decodeKnown(shader: ShaderWriter, axes: readonly number[], flat: Code, prefix = "i"): Code[] {
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

/** Along axes that a compiler does not know: a division by a number that it knows is cheap, and any other is not. */
function openDecoder(shader: ShaderWriter, axes: readonly number[], keepsOnes = false): Decoder {
  const last = axes.findLastIndex((n) => n > 1 || keepsOnes);
  const divisors = axes.map((n, axis) => {
    if ((n === 1 && !keepsOnes) || axis === last) return undefined;
    const inner = sizeOf(axes.slice(axis + 1));
    const isSmall = n <= MOST_QUOTIENT;
    return { size: shader.anySize(inner), reciprocal: isSmall ? shader.number(1 / inner) : undefined };
  });
  return (flat, prefix = "i") => {
    let rest = flat;
    return divisors.map((divisor, axis) => {
      if (!divisor) return axis === last ? rest : "0";
      const { size, reciprocal } = divisor;
      const quotient =
        reciprocal === undefined ? `(${rest}) / ${size}` : `${shader.use("quotient")}(${rest}, ${size}, ${reciprocal})`;
      const index = shader.bind(prefix, quotient);
      rest = shader.bind(prefix, `${rest} - ${index} * ${size}`);
      return index;
    });
  };
}

function isPowerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}
