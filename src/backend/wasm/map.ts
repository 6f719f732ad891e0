import type { Affine } from "../../compiler/affine.ts";
import type { Expression, MapKernel, Store } from "../../compiler/program.ts";
import { Evaluator, countUses, registerIndices } from "./evaluator.ts";
import type { Sources } from "./evaluator.ts";
import { Inductions } from "./inductions.ts";
import type { AxisRange, KernelCode } from "./kernel.ts";
import { KernelWriter, splitTasks } from "./kernel.ts";
import { canVectorize } from "./vectorize.ts";
import type { Code, FunctionWriter } from "./writer.ts";
import { get, i32, set } from "./writer.ts";

/** Elements that one task writes, about: enough to hide its start, few enough to spread over threads. */
const TASK_ELEMENTS = 8192;
/** Vectors of a row that are written without a loop, and nodes of their expressions together. */
const MOST_UNROLLED = 8;
const MOST_UNROLLED_NODES = 160;

export function emitMap(kernel: MapKernel): KernelCode {
  const target = new KernelWriter();
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
  const unrolled = Math.min(MOST_UNROLLED, MOST_UNROLLED_NODES / context.uses.size);
  const element = (current: ElementLoops["stores"], width: 1 | 4, lane: number): void => {
    const evaluator = new Evaluator(context, { width, axis: last, lane });
    // All values are computed before any is stored: a store may overwrite what another value reads.
    const values = current.map((store) => evaluator.value(store.value));
    const held =
      values.length === 1 ? values : values.map((value, i) => hold(writer, width, current[i].value.dtype, value));
    current.forEach((store, i) => evaluator.store(baseOf(store), store.index, store.value.dtype, held[i]));
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
      element: (width, lane) => element(current, width, lane),
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

function hold(writer: FunctionWriter, width: 1 | 4, dtype: Store["value"]["dtype"], value: Code): Code {
  if (value.startsWith("(local.get")) return value;
  return `(local.get ${writer.bind(width === 4 ? "v128" : dtype === "f32" ? "f32" : "i32", value)})`;
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
  /** Writes one element, or four from `lane` on. */
  readonly element: (width: 1 | 4, lane: number) => void;
}

/** A whole row of the last axis; returns how far the inductions moved along it. */
function emitRow({ writer, inductions, axis, length, vectorizes, unrolled, element }: Row): number {
  const vectors = vectorizes ? Math.floor(length / 4) : 0;
  const rest = length - vectors * 4;
  if (vectors + rest <= unrolled) {
    for (let i = 0; i < vectors; i++) element(4, i * 4);
    for (let i = 0; i < rest; i++) element(1, vectors * 4 + i);
    return 0;
  }
  const perPass = [4, 2].find((n) => vectors % n === 0 && n <= unrolled) ?? 1;
  if (vectors > 0) {
    writer.loop(i32(0), i32(vectors), perPass, () => {
      for (let i = 0; i < perPass; i++) element(4, i * 4);
      inductions.advance([[axis, 4 * perPass]]);
    });
  }
  if (rest > 0) {
    writer.loop(i32(0), i32(rest), 1, () => {
      element(1, 0);
      inductions.advance([[axis, 1]]);
    });
  }
  return length;
}

/** Part of the last axis, when it is the one that tasks share out; nothing is nested around it. */
function emitPartialRow(
  { writer, inductions, axis, length, vectorizes, unrolled, element }: Row,
  range: AxisRange,
): number {
  if (range.end === undefined) {
    element(1, 0);
    return 0;
  }
  const { start, end } = range;
  // Tasks start at multiples of sixteen, so only the last one has a rest.
  const vectorEnd = vectorizes ? `(i32.sub ${end} (i32.and (i32.sub ${end} ${start}) ${i32(3)}))` : start;
  const middle = writer.bind("i32", vectorEnd);
  const at = writer.bind("i32", start);
  const run = (until: Code, count: number, width: 1 | 4): void => {
    const step = count * width;
    writer.loop(get(at), count > 1 ? `(i32.sub ${until} ${i32(step - 1)})` : until, step, (counter) => {
      for (let i = 0; i < count; i++) element(width, i * width);
      inductions.advance([[axis, step]]);
      writer.line(set(at, `(i32.add ${get(counter)} ${i32(step)})`));
    });
  };
  if (vectorizes) {
    if (unrolled >= 4) run(get(middle), 4, 4);
    run(get(middle), 1, 4);
  }
  if (!vectorizes || length % 4 !== 0) run(end, 1, 1);
  return 0;
}
