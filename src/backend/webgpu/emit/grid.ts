import { sizeOf } from "../../../tensor/shape.ts";
import type { Code, ShaderWriter } from "./shader.ts";

/** Splits a flat number into an index per axis; "0" along axes of 1. */
export function decode(shader: ShaderWriter, axes: readonly number[], flat: Code, prefix = "i"): Code[] {
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
