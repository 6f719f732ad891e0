import { sameAffine } from "../affine.ts";
import { readsOf, writesOf } from "../accesses.ts";
import { mapExpression, visitExpression } from "../program.ts";
import type { Buffer, Expression, Kernel, MapKernel, View } from "../program.ts";

/** A variable's buffer, and the one that holds its next value when all kernels have run. */
export interface Commit {
  readonly variable: Buffer;
  readonly value: Buffer;
}

/**
 * Gives variables their next values: written in place by the kernel that computes them where nothing reads
 * the old value later or elsewhere, else by a copy at the end.
 */
export function commitUpdates(
  kernels: readonly Kernel[],
  commits: readonly Commit[],
): { kernels: Kernel[]; replaced: Map<Buffer, Buffer> } {
  const lastRead = new Map<Buffer, number>();
  const producer = new Map<Buffer, number>();
  kernels.forEach((kernel, i) => {
    for (const buffer of readsOf(kernel)) lastRead.set(buffer, i);
    for (const buffer of writesOf(kernel)) producer.set(buffer, i);
  });
  const replaced = new Map<Buffer, Buffer>();
  const copied: Commit[] = [];
  for (const commit of commits) {
    const { variable, value } = commit;
    const at = producer.get(value) ?? -1;
    const isLast = at >= 0 && (lastRead.get(variable) ?? -1) <= at;
    if (isLast && !replaced.has(value) && readsOnlyWhereItWrites(kernels[at], variable, value)) {
      replaced.set(value, variable);
    } else copied.push(commit);
  }
  const copies = copied.map(({ variable, value }) => copyKernel(replaced.get(value) ?? value, variable));
  return { kernels: [...kernels.map((kernel) => replaceBuffers(kernel, replaced)), ...copies], replaced };
}

export function copyKernel(from: Buffer, to: Buffer): MapKernel {
  const index = { offset: 0, coefficients: [1] };
  const value: Expression = { kind: "load", dtype: from.dtype, buffer: from, index };
  return { kind: "map", axes: [from.length], stores: [{ buffer: to, index, value }] };
}

/** Whether a kernel that writes `value` may write `variable` instead: it reads an element of it only to write that one. */
function readsOnlyWhereItWrites(kernel: Kernel, variable: Buffer, value: Buffer): boolean {
  if (kernel.kind !== "map") return false;
  const store = kernel.stores.find((candidate) => candidate.buffer === value);
  if (!store) return false;
  let aligned = true;
  const visit = (node: Expression): void => {
    if (node.kind === "load" && node.buffer === variable) aligned &&= !node.row && sameAffine(node.index, store.index);
  };
  const seen = new Set<Expression>();
  for (const { value: root } of kernel.stores) visitExpression(root, visit, seen);
  return aligned;
}

export function replaceBuffers(kernel: Kernel, replaced: ReadonlyMap<Buffer, Buffer>): Kernel {
  const uses = [...readsOf(kernel), ...writesOf(kernel)];
  if (!uses.some((buffer) => replaced.has(buffer))) return kernel;
  const of = (buffer: Buffer): Buffer => replaced.get(buffer) ?? buffer;
  const memo = new Map<Expression, Expression>();
  const moved = (node: Expression): Expression | undefined => {
    if (node.kind !== "load" || !replaced.has(node.buffer)) return undefined;
    const row = node.row && { ...node.row, row: inside(node.row.row) };
    return { ...node, buffer: of(node.buffer), row };
  };
  const inside = (root: Expression): Expression => mapExpression(root, moved, memo);
  const view = (operand: View): View => ({ buffer: of(operand.buffer), index: operand.index });
  const stores = <T extends { buffer: Buffer; value: Expression }>(list: readonly T[]): T[] =>
    list.map((store) => ({ ...store, buffer: of(store.buffer), value: inside(store.value) }));
  switch (kernel.kind) {
    case "map":
      return { ...kernel, stores: stores(kernel.stores) };
    case "reduce": {
      const stages = kernel.stages.map((stage) => ({
        accumulators: stage.accumulators.map(({ slot, reduction, dtype, value }) => ({
          slot,
          reduction,
          dtype,
          value: inside(value),
        })),
        stores: stores(stage.stores),
      }));
      return { ...kernel, stages, stores: stores(kernel.stores) };
    }
    case "dot":
      return { ...kernel, lhs: view(kernel.lhs), rhs: view(kernel.rhs), stores: stores(kernel.stores) };
    case "convolution":
      return { ...kernel, input: inside(kernel.input), weight: of(kernel.weight), stores: stores(kernel.stores) };
    case "filterGradient":
      return { ...kernel, input: inside(kernel.input), cotangent: of(kernel.cotangent), result: of(kernel.result) };
    case "transform":
      return { ...kernel, input: inside(kernel.input), result: of(kernel.result) };
    case "attention":
    case "attentionGradient": {
      const operands = { query: view(kernel.query), key: view(kernel.key), value: view(kernel.value) };
      const ofWanted = (buffer: Buffer | undefined): Buffer | undefined => buffer && of(buffer);
      if (kernel.kind === "attention")
        return { ...kernel, ...operands, result: of(kernel.result), logsumexp: ofWanted(kernel.logsumexp) };
      return {
        ...kernel,
        ...operands,
        cotangent: view(kernel.cotangent),
        logsumexp: of(kernel.logsumexp),
        delta: of(kernel.delta),
        byQuery: ofWanted(kernel.byQuery),
        byKey: ofWanted(kernel.byKey),
        byValue: ofWanted(kernel.byValue),
      };
    }
  }
}
