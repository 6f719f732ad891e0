import { childrenOf, visitExpression } from "../../../compiler/program.ts";
import type { Expression } from "../../../compiler/program.ts";

/** How many nodes use each node; what several use is computed once. */
export function countUses(roots: readonly Expression[]): Map<Expression, number> {
  const uses = new Map<Expression, number>();
  const seen = new Set<Expression>();
  const count = (node: Expression): void => {
    uses.set(node, (uses.get(node) ?? 0) + 1);
  };
  for (const root of roots) {
    count(root);
    visitExpression(root, (node) => childrenOf(node).forEach(count), seen);
  }
  return uses;
}
