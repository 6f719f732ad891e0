import { isElementwise } from "../../tensor/op.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { costOf } from "./cost.ts";
import { isStoredLeaf } from "./scheduled-kernel.ts";
import { isResult } from "./tails.ts";

/** What has to be read and computed to evaluate a tensor from stored ones. */
export interface Cone {
  readonly leaves: ReadonlySet<Tensor>;
  /** In additions, counted along each path to them: {@link operationsOf} are no more. */
  readonly operationsAlongPaths: number;
  /** Iota nodes: a cone without leaves may still vary. */
  readonly indices: number;
  /** Stored elements read per element computed. */
  readonly traffic: number;
}

/** Paths may double with every node: beyond this they are many. */
const MANY = 1e6;

export function coneOf(node: Tensor, isStored: (tensor: Tensor) => boolean, memo = new Map<Tensor, Cone>()): Cone {
  const known = memo.get(node);
  if (known) return known;
  let leaves: ReadonlySet<Tensor> = new Set();
  let operationsAlongPaths = isElementwise(node.op) ? costOf(node.op) : 0;
  let indices = node.op.kind === "iota" ? 1 : 0;
  const inputs = isStoredLeaf(node) ? [] : [...new Set(node.inputs)];
  for (const input of inputs) {
    if (isStored(input) || isResult(input)) {
      leaves = new Set(leaves).add(input);
      continue;
    }
    const cone = coneOf(input, isStored, memo);
    operationsAlongPaths = Math.min(MANY, operationsAlongPaths + cone.operationsAlongPaths);
    indices += cone.indices;
    leaves = leaves.size === 0 ? cone.leaves : new Set([...leaves, ...cone.leaves]);
  }
  let traffic = 0;
  for (const leaf of leaves) traffic += Math.min(1, leaf.size / Math.max(1, node.size));
  const cone = { leaves, operationsAlongPaths, indices, traffic };
  memo.set(node, cone);
  return cone;
}

/** What computing tensors of stored ones takes, in additions: what two paths lead to is computed once. */
export function operationsOf(tensors: readonly Tensor[], isStored: (tensor: Tensor) => boolean): number {
  const seen = new Set<Tensor>();
  let operations = 0;
  const visit = (node: Tensor): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (isElementwise(node.op)) operations += costOf(node.op);
    if (!isStoredLeaf(node)) for (const input of node.inputs) if (!isStored(input) && !isResult(input)) visit(input);
  };
  tensors.forEach(visit);
  return operations;
}

/** Whether a tensor is computed of stored ones in another order than they have in memory. */
export function isTransposed(root: Tensor, isStored: (tensor: Tensor) => boolean): boolean {
  const seen = new Set<Tensor>();
  const visit = (node: Tensor): boolean => {
    if (seen.has(node)) return false;
    seen.add(node);
    return node.op.kind === "transpose" || node.inputs.some((input) => !isStored(input) && visit(input));
  };
  return visit(root);
}
