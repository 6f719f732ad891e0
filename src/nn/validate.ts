import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** @throws unless every value is a whole number of at least `least` */
export function requireWhole(layer: string, values: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new Error(`${layer}: ${name} must be a whole number of at least ${least}, got ${value}`);
  }
}

/** @throws unless `x` is [batch, height, width, channels] */
export function requireImages(layer: string, x: Tensor, channels: number): void {
  if (x.rank === 4 && x.shape[3] === channels && x.dtype === "f32") return;
  throw new Error(
    `${layer}: input must be f32 [batch, height, width, ${channels}], got ${x.dtype} ${formatShape(x.shape)}`,
  );
}

/** @throws unless `x` is [batch, length, dim] */
export function requireTokens(layer: string, x: Tensor, dim: number): void {
  if (x.rank === 3 && x.shape[2] === dim && x.dtype === "f32") return;
  throw new Error(`${layer}: input must be f32 [batch, length, ${dim}], got ${x.dtype} ${formatShape(x.shape)}`);
}
