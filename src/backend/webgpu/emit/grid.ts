import { sizeOf } from "../../../tensor/shape.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** From here on a quotient by floats could be off by more than one. */
const MOST_QUOTIENT = 2 ** 20;

/** Splits a flat number into an index per axis; "0" along axes of 1. */
export function decode(shader: ShaderWriter, axes: readonly number[], flat: Code, prefix = "i"): Code[] {
  if (shader.hasOpenSizes) return decodeOpen(shader, axes, flat, prefix);
  let inner = sizeOf(axes);
  return axes.map((n, axis) => {
    inner /= n;
    if (n === 1) return "0";
    const isOutermost = sizeOf(axes.slice(0, axis)) === 1;
    if (isOutermost && inner === 1) return flat;
    const quotient = inner === 1 ? flat : `${flat} / ${inner}`;
    return shader.bind(prefix, isOutermost ? quotient : `${quotient} % ${n}`);
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
