import { mergeAxes } from "../affine.ts";
import type { Affine } from "../affine.ts";
import { mapIndices, visitExpression } from "../program.ts";
import type { Expression, Store, View } from "../program.ts";

/** The part of a kernel that is written in terms of loop axes. */
export interface Loops {
  readonly axes: readonly number[];
  /** Lengths of the runs of axes that must not mix (kept and reduced; batch, rows, columns and inner). */
  readonly groups: readonly number[];
  readonly stores: readonly Store[];
  readonly values: readonly Expression[];
  readonly views: readonly View[];
}

function indicesOf(loops: Loops): Affine[] {
  const indices: Affine[] = [...loops.stores.map((store) => store.index), ...loops.views.map((view) => view.index)];
  const seen = new Set<Expression>();
  for (const root of [...loops.values, ...loops.stores.map((store) => store.value)]) {
    visitExpression(root, (node) => "index" in node && indices.push(node.index), seen);
  }
  return indices;
}

function mapLoops(
  loops: Loops,
  axes: readonly number[],
  groups: readonly number[],
  map: (index: Affine) => Affine,
): Loops {
  const memo = new Map<Expression, Expression>();
  return {
    axes,
    groups,
    stores: loops.stores.map((store) => ({
      ...store,
      index: map(store.index),
      value: mapIndices(store.value, map, memo),
    })),
    values: loops.values.map((value) => mapIndices(value, map, memo)),
    views: loops.views.map((view) => ({ ...view, index: map(view.index) })),
  };
}

/** Puts the axes into another order: new axis i is old axis order[i]. */
export function permuteAxes(loops: Loops, order: readonly number[], groups: readonly number[]): Loops {
  const axes = order.map((axis) => loops.axes[axis]);
  return mapLoops(loops, axes, groups, ({ offset, coefficients }) => ({
    offset,
    coefficients: order.map((axis) => coefficients[axis]),
  }));
}

/**
 * Fewer, longer axes: those of size 1 go, and neighbours of one group merge where every index steps over
 * both as over one. A group keeps at least one axis, except a group of none.
 */
export function coalesce(loops: Loops): Loops {
  const indices = indicesOf(loops);
  const merges: number[] = [];
  const axes = [...loops.axes];
  const groups = [...loops.groups];
  let current = indices;
  let start = 0;
  groups.forEach((_, group) => {
    for (let at = start; at + 1 < start + groups[group];) {
      const [outer, inner] = [axes[at], axes[at + 1]];
      const joins = (c: readonly number[]): boolean => inner === 1 || outer === 1 || c[at] === c[at + 1] * inner;
      if (!current.every(({ coefficients }) => joins(coefficients))) {
        at++;
        continue;
      }
      // Of a pair with an axis of 1 the other's step counts.
      const fix = (index: Affine): Affine => (inner === 1 ? keepOuter(index, at) : mergeAxes(index, at));
      current = current.map(fix);
      merges.push(inner === 1 ? -at - 1 : at);
      axes.splice(at, 2, outer * inner);
      groups[group]--;
    }
    start += groups[group];
  });
  if (merges.length === 0) return loops;
  const map = (index: Affine): Affine =>
    merges.reduce((a, at) => (at < 0 ? keepOuter(a, -at - 1) : mergeAxes(a, at)), index);
  return mapLoops(loops, axes, groups, map);
}

function keepOuter(a: Affine, at: number): Affine {
  return { offset: a.offset, coefficients: a.coefficients.toSpliced(at + 1, 1) };
}
