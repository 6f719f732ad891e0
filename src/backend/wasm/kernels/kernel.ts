import type { Affine } from "../../../compiler/affine.ts";
import type { Buffer } from "../../../compiler/program.ts";
import type { Sources } from "../emit/evaluator.ts";
import type { Code } from "../emit/writer.ts";
import { FunctionWriter, get, i32 } from "../emit/writer.ts";

/** One kernel as a function of a task number and the address of a list of buffer addresses. */
export interface KernelCode {
  readonly body: Code;
  /** The buffers whose addresses it takes, in order. */
  readonly buffers: readonly Buffer[];
  /** Independent pieces of work, numbered from 0. */
  readonly tasks: number;
  /** Bytes of memory of its own that each thread needs. */
  readonly scratchBytes: number;
  /** Names of the micro-kernels that it calls. */
  readonly calls: ReadonlySet<string>;
}

/** What a kernel is written for. */
export interface Emission {
  /** Pairs of vectors are merged to 256 bits. */
  readonly wide: boolean;
  /** How often all of its tasks run in a program: once, or for each slice of a batch. */
  readonly runs: number;
}

/** A function under construction, with the buffers that it turns out to use. */
export class KernelWriter implements Sources {
  readonly runs: number;
  readonly #buffers: Buffer[] = [];
  readonly writer = new FunctionWriter();
  readonly calls = new Set<string>();
  scratchBytes = 0;
  result: { readonly base: string; readonly index: Affine } | readonly string[] | undefined;

  constructor({ runs }: Emission) {
    this.runs = runs;
  }

  baseOf(buffer: Buffer): string {
    const known = this.#buffers.indexOf(buffer);
    const at = known === -1 ? this.#buffers.push(buffer) - 1 : known;
    return `$buffer${at}`;
  }

  resultOf(slot: number): { readonly base: string; readonly index: Affine } | { readonly local: string } {
    if (!this.result) throw new Error("internal: the kernel has no result");
    return "base" in this.result ? this.result : { local: this.result[slot] };
  }

  finish(tasks: number): KernelCode {
    const locals = this.#buffers.map((_, i) => ` (local $buffer${i} i32)`).join("");
    const loads = this.#buffers.map(
      (_, i) => `(local.set $buffer${i} (i32.load offset=${4 * i} (local.get $buffers)))`,
    );
    const body = ` (param $task i32) (param $buffers i32)${locals}${this.writer.finish(loads)}`;
    return { body, buffers: this.#buffers, tasks, scratchBytes: this.scratchBytes, calls: this.calls };
  }

  /** Bytes of the thread's scratch memory; the address follows from the thread. */
  scratch(bytes: number): Code {
    const offset = this.scratchBytes;
    this.scratchBytes += Math.ceil(bytes / 64) * 64;
    return `(i32.add (global.get $scratch) ${i32(offset)})`;
  }
}

/** What part of an axis a nest runs over; a missing end means the single index at the start. */
export interface AxisRange {
  readonly start: Code;
  readonly end?: Code;
}

export interface TaskSplit {
  readonly count: number;
  /** Writes what turns $task into a part of the leading axes. */
  decode(writer: FunctionWriter): AxisRange[];
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
  const piece = shared === axes.length - 1 ? Math.max(16, Math.ceil(wanted / 16) * 16) : wanted;
  const pieces = Math.ceil(axes[shared] / piece);
  const count = axes.slice(0, shared).reduce((product, n) => product * n, pieces);
  const decode = (writer: FunctionWriter): AxisRange[] => {
    const start = get(writer.bind("i32", `(i32.mul (i32.rem_u (local.get $task) ${i32(pieces)}) ${i32(piece)})`));
    const limit = i32(axes[shared]);
    const stop = get(writer.bind("i32", `(i32.add ${start} ${i32(piece)})`));
    const end =
      axes[shared] % piece === 0
        ? stop
        : get(writer.bind("i32", `(select ${stop} ${limit} (i32.lt_u ${stop} ${limit}))`));
    const outer = decodeIndices(writer, axes.slice(0, shared), `(i32.div_u (local.get $task) ${i32(pieces)})`);
    return [...outer.map((code) => ({ start: code })), { start, end }];
  };
  return { count, decode };
}

/** Splits a flat number into an index per axis. */
export function decodeIndices(writer: FunctionWriter, axes: readonly number[], flat: Code): Code[] {
  if (axes.length === 0) return [];
  const rest = writer.bind("i32", flat);
  const indices: Code[] = [];
  for (let axis = axes.length - 1; axis > 0; axis--) {
    indices.unshift(get(writer.bind("i32", `(i32.rem_u ${get(rest)} ${i32(axes[axis])})`)));
    writer.line(`(local.set ${rest} (i32.div_u ${get(rest)} ${i32(axes[axis])}))`);
  }
  indices.unshift(get(rest));
  return indices;
}
