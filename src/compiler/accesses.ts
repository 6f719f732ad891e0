import { partsOf, visitExpression } from "./program.ts";
import type { Buffer, Expression, Kernel, Stage } from "./program.ts";

/** The expressions that a kernel evaluates. */
export function expressionsOf(kernel: Kernel): Expression[] {
  switch (kernel.kind) {
    case "map":
    case "dot":
      return kernel.stores.map((store) => store.value);
    case "reduce":
      return [...kernel.stages.flatMap(valuesOf), ...kernel.stores.map((store) => store.value)];
    case "convolution":
      return [kernel.input, ...kernel.stores.map((store) => store.value)];
    case "filterGradient":
    case "transform":
      return [kernel.input];
    case "attention":
    case "attentionGradient":
      return [];
  }
}

/** What a stage evaluates for every term. */
export function valuesOf({ accumulators, stores }: Stage): Expression[] {
  return [...accumulators, ...stores].map(({ value }) => value);
}

const knownReads = new WeakMap<Kernel, ReadonlySet<Buffer>>();

/** Passes ask this of a kernel again and again, and it takes a walk through all its expressions. */
export function readsOf(kernel: Kernel): ReadonlySet<Buffer> {
  const known = knownReads.get(kernel) ?? new Set([...operandsRead(kernel)].flatMap(partsOf));
  knownReads.set(kernel, known);
  return known;
}

/** What a kernel reads, stretches of arenas as such. */
export function operandsRead(kernel: Kernel): Set<Buffer> {
  const reads = new Set<Buffer>();
  const seen = new Set<Expression>();
  for (const root of expressionsOf(kernel))
    visitExpression(root, (node) => node.kind === "load" && reads.add(node.buffer), seen);
  if (kernel.kind === "dot") reads.add(kernel.lhs.buffer).add(kernel.rhs.buffer);
  if (kernel.kind === "convolution") reads.add(kernel.weight);
  if (kernel.kind === "filterGradient") reads.add(kernel.cotangent);
  if (kernel.kind === "attention" || kernel.kind === "attentionGradient") {
    for (const { buffer } of [kernel.query, kernel.key, kernel.value]) reads.add(buffer);
    if (kernel.kind === "attentionGradient") reads.add(kernel.cotangent.buffer).add(kernel.logsumexp).add(kernel.delta);
  }
  return reads;
}

export function writesOf(kernel: Kernel): Buffer[] {
  return operandsWritten(kernel).flatMap(partsOf);
}

/** What a kernel writes, stretches of arenas as such. */
export function operandsWritten(kernel: Kernel): Buffer[] {
  switch (kernel.kind) {
    case "filterGradient":
    case "transform":
      return [kernel.result];
    case "attention":
      return [kernel.result, kernel.logsumexp].filter((buffer) => buffer !== undefined);
    case "attentionGradient":
      return [kernel.byQuery, kernel.byKey, kernel.byValue].filter((buffer) => buffer !== undefined);
    case "reduce":
      return [...kernel.stages.flatMap((stage) => stage.stores), ...kernel.stores].map((store) => store.buffer);
    default:
      return kernel.stores.map((store) => store.buffer);
  }
}
