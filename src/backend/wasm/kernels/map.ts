import { sizeOf } from "../../../tensor/shape.ts";
import type { Affine } from "../../../compiler/affine.ts";
import type { Expression, MapKernel, Store } from "../../../compiler/program.ts";
import type { FunctionBuilder } from "../assembly/function-builder.ts";
import type { Integer, Local } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import { countUses } from "../../common/codegen/uses.ts";
import { ExpressionEmitter, registerIndices } from "../emit/expression-emitter.ts";
import type { ExpressionContext, Sources } from "../emit/expression-emitter.ts";
import { InductionVariables } from "../emit/induction-variables.ts";
import { canVectorize } from "../emit/vectorize.ts";
import { KernelBuilder } from "./kernel-builder.ts";
import type { KernelCode, KernelOptions } from "./kernel-builder.ts";
import { splitTasks } from "./tasks.ts";
import type { AxisRange } from "./tasks.ts";
import { elementsPerTask, emitBlock, transposingMap } from "./transposing-map.ts";
import type { TransposingMap } from "./transposing-map.ts";

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

export function emitMap(kernel: MapKernel, options: KernelOptions): KernelCode {
  const target = new KernelBuilder(options);
  const transposing = transposingMap(kernel, options.runs);
  if (transposing) {
    const tasks = splitTasks(transposing.axes, elementsPerTask(transposing));
    emitTransposing(target, transposing, tasks.decode(target));
    return target.finish(tasks.count);
  }
  const { axes, stores } = kernel;
  const tasks = splitTasks(axes, TASK_ELEMENTS / stores.length);
  emitElements(target.code, { axes, stores, sources: target, ranges: tasks.decode(target) });
  return target.finish(tasks.count);
}

function emitTransposing(target: KernelBuilder, map: TransposingMap, ranges: readonly AxisRange[]): void {
  const { code } = target;
  const { axes, stores } = map;
  const baseOf = ({ buffer }: Store): Local<"i32"> => target.baseOf(buffer);
  const context = contextOf(code, { axes, stores, sources: target, ranges }, baseOf);
  nested(context, axes.slice(0, -2), ranges, () => {
    emitBlock(context, map, baseOf);
    return 0;
  });
}

export interface ElementLoops {
  readonly axes: readonly number[];
  readonly stores: readonly (Omit<Store, "buffer"> & {
    readonly buffer: Store["buffer"] | { readonly base: Local<"i32"> };
  })[];
  readonly sources: Sources;
  /** Leading axes that run over less than all; the first of several open ranges must be the outermost. */
  readonly ranges: readonly AxisRange[];
  /** For axes that are a part of longer ones: where it starts; 0 unless given. */
  readonly origin?: readonly Integer[];
}

/** A loop nest over axes, vectorised along the last one, that evaluates and stores. */
export function emitElements(code: FunctionBuilder, loops: ElementLoops): void {
  const { axes, stores, sources, ranges } = loops;
  const baseOf = (store: ElementLoops["stores"][number]): Local<"i32"> =>
    "base" in store.buffer ? store.buffer.base : sources.baseOf(store.buffer);
  const roots = stores.map((store) => store.value);
  const context = contextOf(code, loops, baseOf);
  const { variables } = context;

  const last = axes.length - 1;
  const vectorizes = canVectorize(roots, last) && stores.every((store) => isAdjacent(store.index, last));
  const most = Math.min(MOST_UNROLLED, MOST_UNROLLED_NODES / context.uses.size);
  const unrolled = isWorthUnrolling(axes, sources.runs) ? Math.max(2, most) : 1;
  const elements = (current: ElementLoops["stores"], width: 1 | 4, lanes: readonly number[]): void => {
    // All values are computed before any is stored: a store may overwrite what another value reads, and V8 merges
    // only vector operations that no store separates.
    const emitters = lanes.map((lane) => new ExpressionEmitter(context, { width, axis: last, lane }));
    const values = emitters.map((emitter) => current.map((store) => emitter.keep(store.value)));
    current.forEach((store, i) => {
      emitters.forEach((emitter, at) => emitter.store(baseOf(store), store.index, store.value.dtype, values[at][i]));
    });
  };
  const row = (current: ElementLoops["stores"]): number => {
    const [first] = current;
    const { value } = first;
    if (current.length === 1 && value.kind === "within" && value.index.coefficients[last] === 0) {
      // The whole row lies on one side of the condition.
      let moved = 0;
      const side = (chosen: Expression) => (): void => {
        moved = row([{ ...first, value: chosen }]);
      };
      const condition = new ExpressionEmitter(context, { width: 1, axis: last, lane: 0 }).condition(value);
      code.when(condition, side(value.inside), side(value.outside));
      return moved;
    }
    const loop: Row = {
      code,
      variables,
      axis: last,
      length: axes[last],
      vectorizes,
      unrolled,
      elements: (width, lanes) => elements(current, width, lanes),
    };
    return ranges[last] ? emitPartialRow(loop, ranges[last]) : emitRow(loop);
  };

  nested(context, axes.slice(0, -1), ranges, () => row(stores));
}

/** What expressions need in a nest of loops, which starts. */
function contextOf<Stored extends ElementLoops["stores"][number]>(
  code: FunctionBuilder,
  { axes, stores, sources, ranges, origin = [] }: ElementLoops & { readonly stores: readonly Stored[] },
  baseOf: (store: Stored) => Local<"i32">,
): ExpressionContext {
  const roots = stores.map((store) => store.value);
  const variables = new InductionVariables(code);
  registerIndices(roots, variables, sources);
  for (const store of stores) variables.register(baseOf(store), store.index);
  variables.start(axes.map((_, axis) => ranges[axis]?.start ?? origin[axis] ?? 0));
  return { builder: code, variables, sources, uses: countUses(roots) };
}

/** Loops over axes. `inner` emits what is in them, and returns how far it moved the variables along the axis after these. */
function nested(
  { builder: code, variables }: ExpressionContext,
  axes: readonly number[],
  ranges: readonly AxisRange[],
  inner: () => number,
): void {
  const nest = (axis: number): number => {
    if (axis === axes.length) return inner();
    const range = ranges[axis];
    if (range && range.end === undefined) {
      nest(axis + 1);
      return 0;
    }
    code.countUp(range?.start ?? 0, range?.end ?? axes[axis], 1, () => {
      const moved = nest(axis + 1);
      variables.advance([
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
  readonly code: FunctionBuilder;
  readonly variables: InductionVariables;
  readonly axis: number;
  readonly length: number;
  readonly vectorizes: boolean;
  /** How many elements or vectors may be written without a loop. */
  readonly unrolled: number;
  /** Emits an element, or four, from each of these lanes on. */
  readonly elements: (width: 1 | 4, lanes: readonly number[]) => void;
}

/** Neighbouring vectors two by two, since V8 merges pairs. */
function emitVectors({ elements }: Pick<Row, "elements">, count: number): void {
  for (let i = 0; i < count; i += 2) elements(4, i + 1 < count ? [4 * i, 4 * i + 4] : [4 * i]);
}

/** A whole row of the last axis; returns how far the inductions moved along it. */
function emitRow(row: Row): number {
  const { code, variables, axis, length, unrolled, elements } = row;
  const vectors = row.vectorizes ? Math.floor(length / 4) : 0;
  const rest = length - vectors * 4;
  if (vectors + rest <= unrolled) {
    emitVectors(row, vectors);
    for (let i = 0; i < rest; i++) elements(1, [vectors * 4 + i]);
    return 0;
  }
  const passes = (count: number, step: number, body: () => void): void => {
    if (count === 0) return;
    code.countUp(0, count, 1, () => {
      body();
      variables.advance([[axis, step]]);
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
  const { code, variables, axis, length, vectorizes, unrolled, elements } = row;
  if (range.end === undefined) {
    elements(1, [0]);
    return 0;
  }
  const { start, end } = range;
  // Tasks start at multiples of sixteen, so only the last one has a rest.
  const middle = code.local("i32", vectorizes ? i32.sub(end, i32.and(i32.sub(end, start), 3)) : start);
  const at = code.local("i32", start);
  const run = (until: Integer, step: number, body: () => void): void => {
    code.countUp(at, step > 4 ? i32.sub(until, step - 1) : until, step, (counter) => {
      body();
      variables.advance([[axis, step]]);
      code.set(at, i32.add(counter, step));
    });
  };
  if (vectorizes) {
    const perPass = unrolled >= 4 ? 4 : Math.min(2, unrolled);
    run(middle, 4 * perPass, () => emitVectors(row, perPass));
    if (perPass > 1) run(middle, 4, () => emitVectors(row, 1));
  }
  if (!vectorizes || length % 4 !== 0) run(end, 1, () => elements(1, [0]));
  return 0;
}
