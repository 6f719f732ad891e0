import type { Affine } from "../../../compiler/affine.ts";
import { visitExpression } from "../../../compiler/program.ts";
import type { Expression } from "../../../compiler/program.ts";

/**
 * Whether four neighbours along an axis can be computed together: rows of a table must not differ among them,
 * and a condition must hold for all four or for none.
 */
export function canVectorize(roots: readonly Expression[], axis: number): boolean {
  let possible = true;
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (node.kind === "within" && (node.index.coefficients[axis] ?? 0) !== 0)
      possible &&= isAligned(node.index, axis, node.low, node.high);
    if (node.kind === "load" && node.row) possible &&= !dependsOn(node.row.row, axis);
  };
  for (const root of roots) visitExpression(root, visit, seen);
  return possible;
}

/** A run of four from a multiple of four never crosses either bound. */
function isAligned(index: Affine, axis: number, low: number, high: number): boolean {
  const others = index.coefficients.every((c, i) => i === axis || c % 4 === 0);
  return index.coefficients[axis] === 1 && others && (index.offset - low) % 4 === 0 && (high - low) % 4 === 0;
}

export function dependsOn(root: Expression, axis: number): boolean {
  let depends = false;
  visitExpression(root, (node) => {
    if ("index" in node) depends ||= (node.index.coefficients[axis] ?? 0) !== 0;
  });
  return depends;
}
