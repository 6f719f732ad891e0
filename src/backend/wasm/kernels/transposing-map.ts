import { mapIndices, visitExpression } from "../../../compiler/program.ts";
import type { Expression, MapKernel, Store } from "../../../compiler/program.ts";
import type { Affine } from "../../../compiler/affine.ts";
import { sizeOf } from "../../../tensor/shape.ts";
import type { Local } from "../assembly/instruction.ts";
import { i8x16 } from "../assembly/vector-instructions.ts";
import { ExpressionEmitter } from "../emit/expression-emitter.ts";
import type { ExpressionContext } from "../emit/expression-emitter.ts";
import { canVectorize } from "../emit/vectorize.ts";

/**
 * A map that reads along one axis and writes along another, such as a matrix that is transposed, with its axes cut into blocks of
 * 4 x 4: [lines of what it reads, ...the other axes, blocks of what it writes, blocks of the line, 4 written, 4 read].
 */
export interface TransposingMap {
  readonly axes: readonly number[];
  readonly stores: readonly Store[];
}

/** Numbers in a cache line: those that are read are used before the next ones are. */
const LINE = 16;
/** In smaller ones a gather costs less than the longer code. */
const FEWEST_ELEMENTS = 32768;
/** Elements that one task writes, about: a line of what is read in all of its rows, but enough tasks to share out. */
const TASK_ELEMENTS = 49152;
const FEWEST_TASKS = 8;

export function elementsPerTask({ axes }: TransposingMap): number {
  return Math.min(TASK_ELEMENTS, Math.ceil(sizeOf(axes) / FEWEST_TASKS));
}

/** @param runs how often a program runs it */
export function transposingMap({ axes, stores }: MapKernel, runs: number): TransposingMap | undefined {
  const last = axes.length - 1;
  const isWritten = stores.every(({ index }) => index.coefficients[last] === 1);
  if (!isWritten || axes[last] % 4 !== 0 || sizeOf(axes) * runs < FEWEST_ELEMENTS) return undefined;
  const roots = stores.map(({ value }) => value);
  const read = readAxis(loadsOf(roots), last);
  if (read === undefined || axes[read] % 4 !== 0 || !canVectorize(roots, read)) return undefined;
  const perLine = axes[read] % LINE === 0 ? LINE : 4;
  const others = axes.flatMap((_, axis) => (axis === read || axis === last ? [] : [axis]));
  const cut = ({ offset, coefficients: c }: Affine): Affine => ({
    offset,
    coefficients: [perLine * c[read], ...others.map((axis) => c[axis]), 4 * c[last], 4 * c[read], c[last], c[read]],
  });
  const memo = new Map<Expression, Expression>();
  return {
    axes: [axes[read] / perLine, ...others.map((axis) => axes[axis]), axes[last] / 4, perLine / 4, 4, 4],
    stores: stores.map((store) => ({
      ...store,
      index: cut(store.index),
      value: mapIndices(store.value, cut, memo),
    })),
  };
}

function loadsOf(roots: readonly Expression[]): Affine[] {
  const indices: Affine[] = [];
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (node.kind === "load") indices.push(node.index);
  };
  for (const root of roots) visitExpression(root, visit, seen);
  return indices;
}

/** The axis along which all that is read lies side by side, or is one number, while some of it is far apart along the last. */
function readAxis(loads: readonly Affine[], last: number): number | undefined {
  const far = loads.find(({ coefficients }) => ![0, 1].includes(coefficients[last]));
  const axis = far?.coefficients.findIndex((c, i) => c === 1 && i !== last) ?? -1;
  if (axis === -1) return undefined;
  return loads.every(({ coefficients }) => [0, 1].includes(coefficients[axis])) ? axis : undefined;
}

/** The four-by-four block at which the induction variables stand, over the last two of the axes. */
export function emitBlock(
  context: ExpressionContext,
  { axes, stores }: TransposingMap,
  baseOf: (store: Store) => Local<"i32">,
): void {
  const read = axes.length - 1;
  const written = read - 1;
  const lanes = [0, 1, 2, 3];
  const columns = lanes.map(
    (at) => new ExpressionEmitter(context, { width: 4, axis: read, lane: 0, beside: { axis: written, at } }),
  );
  // All values are computed before any is stored: a store may overwrite what another value reads.
  const values = stores.map(({ value }) => columns.map((emitter) => emitter.keep(value) as Local<"v128">));
  const rows = lanes.map(
    (at) => new ExpressionEmitter(context, { width: 4, axis: written, lane: 0, beside: { axis: read, at } }),
  );
  stores.forEach((store, i) => {
    const transposed = transpose(context, values[i]);
    rows.forEach((emitter, at) => emitter.store(baseOf(store), store.index, store.value.dtype, transposed[at]));
  });
}

/** Words of two vectors, by their places among the eight. */
function words(places: readonly number[], a: Local<"v128">, b: Local<"v128">) {
  return i8x16.shuffle(
    places.flatMap((place) => [0, 1, 2, 3].map((byte) => 4 * place + byte)),
    a,
    b,
  );
}

function transpose({ builder }: ExpressionContext, [a, b, c, d]: readonly Local<"v128">[]): Local<"v128">[] {
  const [low, high] = [
    [0, 4, 1, 5],
    [2, 6, 3, 7],
  ];
  const [ab, cd, AB, CD] = [words(low, a, b), words(low, c, d), words(high, a, b), words(high, c, d)].map((value) =>
    builder.keep(value),
  );
  const [first, second] = [
    [0, 1, 4, 5],
    [2, 3, 6, 7],
  ];
  return [words(first, ab, cd), words(second, ab, cd), words(first, AB, CD), words(second, AB, CD)].map((value) =>
    builder.keep(value),
  );
}
