export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis]);
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

export function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

/** NumPy's rule: shapes align at the right, and a dimension of 1 stretches. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return range(rank).map((axis) => {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new Error(`${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
    }
    return m === 1 ? n : m;
  });
}

/** An axis counted from the end when negative. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new Error(`${op}: axis must lie in [${-rank}, ${rank}), got ${axis}`);
  }
  return axis < 0 ? axis + rank : axis;
}

export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return range(rank);
  const list = (typeof axes === "number" ? [axes] : axes).map((axis) => normalizeAxis(op, axis, rank));
  if (new Set(list).size !== list.length) throw new Error(`${op}: axes must be distinct, got [${list.join(",")}]`);
  return list.toSorted((a, b) => a - b);
}
