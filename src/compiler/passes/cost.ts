import type { OpKind } from "../../tensor/op.ts";

const COSTS: { readonly [K in OpKind]?: number } = {
  exponential: 16,
  log: 20,
  tanh: 24,
  logistic: 20,
  erf: 30,
  sine: 20,
  cosine: 20,
  power: 60,
  divide: 3,
  sqrt: 4,
  rsqrt: 6,
  convert: 1,
  bitcast_convert: 0,
};

/** Rough cost of an elementwise op per element, in additions. */
export function costOf(op: { readonly kind: OpKind }): number {
  return COSTS[op.kind] ?? 1;
}
