import { sizeOf } from "../../../tensor/shape.ts";
import type { Affine } from "../../../compiler/affine.ts";
import type { Expression, MapKernel, Store } from "../../../compiler/program.ts";
import { Evaluator, countUses, registerIndices } from "../emit/evaluator.ts";
import type { Sources } from "../emit/evaluator.ts";
import { Inductions } from "../emit/inductions.ts";
import type { AxisRange, Emission, KernelCode } from "./kernel.ts";
import { KernelWriter, splitTasks } from "./kernel.ts";
import { canVectorize } from "../emit/vectorize.ts";
import type { Code, FunctionWriter } from "../emit/writer.ts";
import { get, i32, set } from "../emit/writer.ts";

/** Elements that one task writes, about: enough to hide its start, few enough to spread over threads. */
const TASK_ELEMENTS = 8192;
/** Vectors of a row that are written without a loop, and nodes of their expressions together. */
const MOST_UNROLLED = 8;
const MOST_UNROLLED_NODES = 160;
/** Loops over fewer elements are done before longer code would be compiled. */
const FEWEST_TO_UNROLL = 32768;

function isWorthUnrolling(axes: readonly number[], runs: number): boolean {
  return sizeOf(axes) * runs >= FEWEST_TO_UNROLL;
}

export function emitMap(kernel: MapKernel, emission: Emission): KernelCode {
  const target = new KernelWriter(emission);
  const { axes } = kernel;
  const tasks = splitTasks(axes, TASK_ELEMENTS / kernel.stores.length);
  const at = tasks.decode(target.writer);
  emitElements(target.writer, { axes, stores: kernel.stores, sources: target, ranges: at });
  return target.finish(tasks.count);
}

export interface ElementLoops {
  readonly axes: readonly number[];
  readonly stores: readonly (Omit<Store, "buffer"> & {
    readonly buffer: Store["buffer"] | { readonly base: string };
  })[];
  readonly sources: Sources;
  /** Leading axes that run over less than all; the first of several open ranges must be the outermost. */
  readonly ranges: readonly AxisRange[];
}

/** A loop nest over axes, vectorised along the last one, that evaluates and stores. */
export function emitElements(writer: FunctionWriter, { axes, stores, sources, ranges }: ElementLoops): void {
  const baseOf = (store: ElementLoops["stores"][number]): string =>
    "base" in store.buffer ? store.buffer.base : sources.baseOf(store.buffer);
  const roots = stores.map((store) => store.value);
  const inductions = new Inductions(writer);
  registerIndices(roots, inductions, sources);
  for (const store of stores) inductions.register(baseOf(store), store.index);
  inductions.start(axes.map((_, axis) => ranges[axis]?.start ?? i32(0)));
  const context = { writer, inductions, sources, uses: countUses(roots) };

  const last = axes.length - 1;
  const vectorizes = canVectorize(roots, last) && stores.every((store) => isAdjacent(store.index, last));
  const most = Math.min(MOST_UNROLLED, MOST_UNROLLED_NODES / context.uses.size);
  const unrolled = isWorthUnrolling(axes, sources.runs) ? Math.max(2, most) : 1;
  const elements = (current: ElementLoops["stores"], width: 1 | 4, lanes: readonly number[]): void => {
    // All values are computed before any is stored: a store may overwrite what another value reads, and V8 merges
    // only vector operations that no store separates.
    const evaluators = lanes.map((lane) => new Evaluator(context, { width, axis: last, lane }));
    const values = evaluators.map((evaluator) => current.map((store) => evaluator.keep(store.value)));
    current.forEach((store, i) => {
      evaluators.forEach((evaluator, at) =>
        evaluator.store(baseOf(store), store.index, store.value.dtype, values[at][i]),
      );
    });
  };
  const row = (current: ElementLoops["stores"]): number => {
    const [first] = current;
    const { value } = first;
    if (current.length === 1 && value.kind === "within" && value.index.coefficients[last] === 0) {
      // The whole row lies on one side of the condition.
      const side = (chosen: Expression): { lines: Code; moved: number } => {
        let moved = 0;
        const lines = writer.capture(() => {
          moved = row([{ ...first, value: chosen }]);
        });
        return { lines, moved };
      };
      const condition = new Evaluator(context, { width: 1, axis: last, lane: 0 }).condition(value);
      const [inside, outside] = [side(value.inside), side(value.outside)];
      writer.line(`(if ${condition} (then ${inside.lines}) (else ${outside.lines}))`);
      return inside.moved;
    }
    const loop: Row = {
      writer,
      inductions,
      axis: last,
      length: axes[last],
      vectorizes,
      unrolled,
      elements: (width, lanes) => elements(current, width, lanes),
    };
    return ranges[last] ? emitPartialRow(loop, ranges[last]) : emitRow(loop);
  };

  const nest = (axis: number): number => {
    if (axis === last) return row(stores);
    const range = ranges[axis];
    if (range && range.end === undefined) {
      nest(axis + 1);
      return 0;
    }
    writer.loop(range?.start ?? i32(0), range?.end ?? i32(axes[axis]), 1, () => {
      const moved = nest(axis + 1);
      inductions.advance([
        [axis, 1],
        [axis + 1, -moved],
      ]);
    });
    return axes[axis];
  };
  nest(0);
}

function isAdjacent(index: Affine, axis: number): boolean {
  return index.coefficients[axis] === 1;
}

/** The innermost loop. */
interface Row {
  readonly writer: FunctionWriter;
  readonly inductions: Inductions;
  readonly axis: number;
  readonly length: number;
  readonly vectorizes: boolean;
  /** How many elements or vectors may be written without a loop. */
  readonly unrolled: number;
  /** Writes an element, or four, from each of these lanes on. */
  readonly elements: (width: 1 | 4, lanes: readonly number[]) => void;
}

/** Neighbouring vectors two by two, since V8 merges pairs. */
function emitVectors({ elements }: Pick<Row, "elements">, count: number): void {
  for (let i = 0; i < count; i += 2) elements(4, i + 1 < count ? [4 * i, 4 * i + 4] : [4 * i]);
}

/** A whole row of the last axis; returns how far the inductions moved along it. */
function emitRow(row: Row): number {
  const { writer, inductions, axis, length, unrolled, elements } = row;
  const vectors = row.vectorizes ? Math.floor(length / 4) : 0;
  const rest = length - vectors * 4;
  if (vectors + rest <= unrolled) {
    emitVectors(row, vectors);
    for (let i = 0; i < rest; i++) elements(1, [vectors * 4 + i]);
    return 0;
  }
  const passes = (count: number, step: number, body: () => void): void => {
    if (count === 0) return;
    writer.loop(i32(0), i32(count), 1, () => {
      body();
      inductions.advance([[axis, step]]);
    });
  };
  const perPass = unrolled >= 4 && vectors % 4 === 0 ? 4 : Math.min(2, unrolled);
  passes(Math.floor(vectors / perPass), 4 * perPass, () => emitVectors(row, perPass));
  passes(vectors % perPass, 4, () => emitVectors(row, 1));
  passes(rest, 1, () => elements(1, [0]));
  return length;
}

/** Part of the last axis, when it is the one that tasks share out; nothing is nested around it. */
function emitPartialRow(row: Row, range: AxisRange): number {
  const { writer, inductions, axis, length, vectorizes, unrolled, elements } = row;
  if (range.end === undefined) {
    elements(1, [0]);
    return 0;
  }
  const { start, end } = range;
  // Tasks start at multiples of sixteen, so only the last one has a rest.
  const vectorEnd = vectorizes ? `(i32.sub ${end} (i32.and (i32.sub ${end} ${start}) ${i32(3)}))` : start;
  const middle = writer.bind("i32", vectorEnd);
  const at = writer.bind("i32", start);
  const run = (until: Code, step: number, body: () => void): void => {
    writer.loop(get(at), step > 4 ? `(i32.sub ${until} ${i32(step - 1)})` : until, step, (counter) => {
      body();
      inductions.advance([[axis, step]]);
      writer.line(set(at, `(i32.add ${get(counter)} ${i32(step)})`));
    });
  };
  if (vectorizes) {
    const perPass = unrolled >= 4 ? 4 : Math.min(2, unrolled);
    run(get(middle), 4 * perPass, () => emitVectors(row, perPass));
    if (perPass > 1) run(get(middle), 4, () => emitVectors(row, 1));
  }
  if (!vectorizes || length % 4 !== 0) run(end, 1, () => elements(1, [0]));
  return 0;
}
