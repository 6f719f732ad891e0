import { i32 } from "../emit/writer.ts";
import type { Code } from "../emit/writer.ts";

/**
 * The table in memory that `run` walks through: for each step a head, and an entry for each of its kernels. The words of
 * a head: how many kernels, how many slices (0 for a kernel by itself), whether all threads have to meet first, and how
 * many slices or tasks threads took.
 */
const HEAD_WORDS = 4;
export const TAKEN_WORD = 3;
/** Function, tasks, address of the list of operands, and how many. */
const KERNEL_WORDS = 4;
/** Address or offset, bytes from slice to slice, and whether it is an offset in the thread's own memory. */
const OPERAND_WORDS = 3;

/** Where an operand lies, in bytes. */
export interface OperandPlace {
  readonly address: number;
  /** From slice to slice. */
  readonly step: number;
  /** Whether the address counts from the start of the thread's own memory. */
  readonly isOwn: boolean;
}

export interface TableKernel {
  readonly function: number;
  readonly tasks: number;
  readonly operands: readonly OperandPlace[];
}

/** Kernels that run on each slice of a batch, or one by itself: then there are 0 slices. */
export interface TableStep<K = TableKernel> {
  readonly slices: number;
  readonly waits: boolean;
  readonly kernels: readonly K[];
}

/** Bytes of a step's head and entries. */
function stepBytes(kernels: number): number {
  return 4 * (HEAD_WORDS + KERNEL_WORDS * kernels);
}

export function tableBytes(steps: readonly TableStep<{ readonly operands: readonly unknown[] }>[]): number {
  return steps.reduce((bytes, { kernels }) => {
    const operands = kernels.reduce((sum, kernel) => sum + kernel.operands.length, 0);
    return bytes + stepBytes(kernels.length) + 4 * OPERAND_WORDS * operands;
  }, 0);
}

/** Where the steps of a table lie: the lists of operands come behind. */
export interface TableSpan {
  readonly table: number;
  readonly tableEnd: number;
}

export function spanOf(steps: readonly TableStep<unknown>[], table: number): TableSpan {
  return { table, tableEnd: table + steps.reduce((bytes, { kernels }) => bytes + stepBytes(kernels.length), 0) };
}

/** The words of a table that starts at an address. */
export function tableWords(steps: readonly TableStep[], address: number): number[] {
  const words: number[] = [];
  const operands: number[] = [];
  const { tableEnd } = spanOf(steps, address);
  for (const { slices, waits, kernels } of steps) {
    words.push(kernels.length, slices, waits ? 1 : 0, 0);
    for (const kernel of kernels) {
      words.push(kernel.function, kernel.tasks, tableEnd + 4 * operands.length, kernel.operands.length);
      for (const { address: at, step, isOwn } of kernel.operands) operands.push(at, step, isOwn ? 1 : 0);
    }
  }
  return [...words, ...operands];
}

/** Where a step and its kernels stand in a table in memory. */
export interface TableEntry {
  readonly start: number;
  readonly end: number;
  readonly isChain: boolean;
  readonly kernels: readonly number[];
}

export function readEntries(words: Uint32Array, { table, tableEnd }: TableSpan): TableEntry[] {
  const entries: TableEntry[] = [];
  for (let start = table; start < tableEnd;) {
    const [count, slices] = words.subarray(start / 4);
    const end = start + stepBytes(count);
    const kernels = Array.from({ length: count }, (_, i) => start + 4 * (HEAD_WORDS + i * KERNEL_WORDS));
    entries.push({ start, end, isChain: slices > 0, kernels });
    start = end;
  }
  return entries;
}

const load = (address: string, word: number): Code => `(i32.load offset=${4 * word} (local.get ${address}))`;

/**
 * `run` walks through the steps of a table from an address to another. Every thread takes tasks of a kernel, or slices of a
 * chain, until none is left, and waits for the others where the next step depends on it. With `timed`, it tells $tick
 * after each kernel of a slice.
 *
 * @param scratchBytes of each thread's own memory
 * @param operandsAt where in it addresses of a kernel's operands are put
 */
export function runFunction(scratchBytes: number, operandsAt: number): Code {
  const operands = `(i32.add (global.get $scratch) ${i32(operandsAt)})`;
  return `(func $place (param $kernel i32) (param $slice i32) (local $from i32) (local $to i32) (local $end i32)
(local.set $from ${load("$kernel", 2)})
(local.set $end (i32.add (local.get $from) (i32.mul ${load("$kernel", 3)} ${i32(4 * OPERAND_WORDS)})))
(local.set $to ${operands})
(block $done (loop $next
(br_if $done (i32.ge_u (local.get $from) (local.get $end)))
(i32.store (local.get $to) (i32.add ${load("$from", 0)}
 (i32.add (i32.mul ${load("$from", 1)} (local.get $slice)) (i32.mul ${load("$from", 2)} (global.get $scratch)))))
(local.set $from (i32.add (local.get $from) ${i32(4 * OPERAND_WORDS)}))
(local.set $to (i32.add (local.get $to) (i32.const 4)))
(br $next))))
(func $slice (param $kernel i32) (param $end i32) (param $slice i32) (param $timed i32) (local $task i32)
(loop $next
(call $place (local.get $kernel) (local.get $slice))
(local.set $task (i32.const 0))
(loop $tasks
(call_indirect (type $kernel) (local.get $task) ${operands} ${load("$kernel", 0)})
(br_if $tasks (i32.lt_u (local.tee $task (i32.add (local.get $task) (i32.const 1))) ${load("$kernel", 1)})))
(if (local.get $timed) (then (call $tick (local.get $kernel))))
(br_if $next (i32.lt_u (local.tee $kernel (i32.add (local.get $kernel) ${i32(4 * KERNEL_WORDS)})) (local.get $end)))))
(func (export "run") (param $thread i32) (param $threads i32) (param $scratches i32) (param $step i32) (param $end i32)
 (param $timed i32) (local $kernel i32) (local $task i32) (local $next i32)
(global.set $scratch (i32.add (local.get $scratches) (i32.mul (local.get $thread) ${i32(scratchBytes)})))
(block $finished (loop $steps
(br_if $finished (i32.ge_u (local.get $step) (local.get $end)))
(if ${load("$step", 2)} (then (call $barrier (local.get $threads))))
(local.set $kernel (i32.add (local.get $step) ${i32(4 * HEAD_WORDS)}))
(local.set $next (i32.add (local.get $kernel) (i32.mul ${load("$step", 0)} ${i32(4 * KERNEL_WORDS)})))
(if ${load("$step", 1)}
 (then (block $done (loop $slices
  (br_if $done (i32.ge_u (local.tee $task (call $take (local.get $step))) ${load("$step", 1)}))
  (call $slice (local.get $kernel) (local.get $next) (local.get $task) (local.get $timed))
  (br $slices))))
 (else
  (call $place (local.get $kernel) (i32.const 0))
  (block $done (loop $tasks
  (br_if $done (i32.ge_u (local.tee $task (call $take (local.get $step))) ${load("$kernel", 1)}))
  (call_indirect (type $kernel) (local.get $task) ${operands} ${load("$kernel", 0)})
  (br $tasks)))))
(local.set $step (local.get $next))
(br $steps)))
(call $barrier (local.get $threads)))`;
}
