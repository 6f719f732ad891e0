import { select } from "../assembly/control-instructions.ts";
import type { FunctionBuilder } from "../assembly/function-builder.ts";
import type { Integer } from "../assembly/instruction.ts";
import { i32 } from "../assembly/scalar-instructions.ts";
import type { KernelBuilder } from "./kernel-builder.ts";

/** What part of an axis a nest runs over; a missing end means the single index at the start. */
export interface AxisRange {
  readonly start: Integer;
  readonly end?: Integer;
}

export interface TaskSplit {
  readonly count: number;
  /** Emits what turns a kernel's task into a part of the leading axes. */
  decode(target: KernelBuilder): AxisRange[];
}

/** Shares the leading axes out: whole indices of the outer ones, runs of the next. */
export function splitTasks(axes: readonly number[], elementsPerTask: number): TaskSplit {
  let depth = 0;
  let inner = axes.reduce((product, n) => product * n, 1);
  while (depth < axes.length && inner > elementsPerTask) inner /= axes[depth++];
  // Axes before `depth - 1` are outer, axis `depth - 1` runs in pieces.
  if (depth === 0) return { count: 1, decode: () => [] };
  const shared = depth - 1;
  const wanted = Math.max(1, Math.floor(elementsPerTask / inner));
  // Whole cache lines of sixteen numbers where neighbours lie side by side.
  const piece = shared === axes.length - 1 ? Math.max(16, Math.ceil(wanted / 16) * 16) : wanted;
  const pieces = Math.ceil(axes[shared] / piece);
  const count = axes.slice(0, shared).reduce((product, n) => product * n, pieces);
  const decode = ({ code, task }: KernelBuilder): AxisRange[] => {
    const start = code.keep(i32.mul(i32.rem_u(task, pieces), piece));
    const limit = axes[shared];
    const stop = code.keep(i32.add(start, piece));
    const end = limit % piece === 0 ? stop : code.keep(select("i32", stop, limit, i32.lt_u(stop, limit)));
    const outer = decodeIndices(code, axes.slice(0, shared), i32.div_u(task, pieces));
    return [...outer.map((index) => ({ start: index })), { start, end }];
  };
  return { count, decode };
}

/** Splits a flat number into an index per axis. */
export function decodeIndices(code: FunctionBuilder, axes: readonly number[], flat: Integer): Integer[] {
  if (axes.length === 0) return [];
  const rest = code.local("i32", flat);
  const indices: Integer[] = [];
  for (let axis = axes.length - 1; axis > 0; axis--) {
    indices.unshift(code.keep(i32.rem_u(rest, axes[axis])));
    code.set(rest, i32.div_u(rest, axes[axis]));
  }
  indices.unshift(rest);
  return indices;
}

/** A count that takes one of few values, known when the kernel is emitted. */
export interface Count {
  readonly value: Integer;
  readonly values: readonly number[];
}

/** Runs over `total` in blocks: how long the block at `start` is. */
export function blockLength(code: FunctionBuilder, total: number, block: number, start: Integer): Count {
  if (total % block === 0) return { value: block, values: [block] };
  const left = code.keep(i32.sub(total, start));
  const value = code.keep(select("i32", block, left, i32.gt_u(left, block)));
  return { value, values: total < block ? [total] : [block, total % block] };
}

export function timesCount({ value, values }: Count, factor: number): Count {
  return { value: i32.mul(value, factor), values: values.map((n) => n * factor) };
}
