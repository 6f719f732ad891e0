import { readsOf, writesOf } from "../../compiler/program.ts";
import type { Buffer, Kernel, Program } from "../../compiler/program.ts";
import { emitConvolution } from "./convolution.ts";
import { emitDot } from "./dot.ts";
import { emitFilterGradient } from "./filter-gradient.ts";
import type { KernelCode } from "./kernel.ts";
import { emitMap } from "./map.ts";
import { microKernel } from "./micro-kernel.ts";
import { emitReduce } from "./reduce.ts";
import { emitWinogradFilterGradient } from "./winograd-filter-gradient.ts";
import { emitWinograd } from "./winograd.ts";
import { i32 } from "./writer.ts";
import type { Code } from "./writer.ts";

/** What the engine that runs the module can do. */
export interface Features {
  /** Merges pairs of vector operations into 256 bits. */
  readonly wide: boolean;
  /** Has relaxed SIMD: multiply-add in one instruction. */
  readonly relaxed: boolean;
}

export interface WasmModule {
  readonly text: string;
  readonly scratchBytes: number;
  /** The table that `run` walks through, apart from addresses. */
  readonly kernels: readonly KernelEntry[];
}

export interface KernelEntry {
  /** The function that it became, by name and by place. */
  readonly name: string;
  readonly function: number;
  readonly tasks: number;
  readonly waits: boolean;
  readonly buffers: readonly Buffer[];
}

/** Words at the start of memory, in bytes: how often threads arrived at a barrier, and whether one failed. */
export const BARRIER_ADDRESS = 64;
export const ABORT_ADDRESS = 128;
/** Memory below this address is never given out. */
export const FIRST_ADDRESS = 1024;

export function emitKernel(kernel: Kernel, { wide }: Features): KernelCode {
  switch (kernel.kind) {
    case "map":
      return emitMap(kernel);
    case "reduce":
      return emitReduce(kernel);
    case "dot":
      return emitDot(kernel, wide);
    case "convolution":
      return kernel.transformed ? emitWinograd(kernel, wide) : emitConvolution(kernel, wide);
    case "filterGradient":
      return kernel.transformed ? emitWinogradFilterGradient(kernel, wide) : emitFilterGradient(kernel, wide);
  }
}

/**
 * One module for a program. Kernels that differ only in the buffers they work on share a function. What runs,
 * and on which buffers, stands in a table in memory that `run` walks through: every thread takes tasks of each
 * kernel until none is left, and waits for the others where the next kernel depends on it.
 *
 * @param shared whether threads share the memory; else there is one thread, and nothing atomic is needed
 */
export function emitModule(
  program: Program,
  offsets: ReadonlyMap<Buffer, number>,
  features: Features,
  shared: boolean,
): WasmModule {
  const codes = program.kernels.map((kernel) => emitKernel(kernel, features));
  const names = nameFunctions(program.kernels, codes);
  const bodies = [...names.keys()];
  const functions = [...names].map(([body, name]) => `(func ${name}${body})`);
  const micros = new Set(codes.flatMap((code) => [...code.calls]));
  const scratchBytes = Math.max(0, ...codes.map((code) => code.scratchBytes));
  const waits = barriersBefore(program.kernels, offsets);
  const functionIndex = new Map(bodies.map((body, i) => [body, i]));
  const text = `(module
(import "unnoise" "memory" (memory 1 65536${shared ? " shared" : ""}))
(import "unnoise" "pow" (func $pow (param f64 f64) (result f64)))
(import "unnoise" "arrivals" (global $arrivals (mut i32)))
(global $scratch (mut i32) (i32.const 0))
(type $kernel (func (param i32 i32)))
(table ${functions.length} funcref)
(elem (i32.const 0) ${[...names.values()].join(" ")})
${[...micros].map((name) => microFromName(name, features.relaxed)).join("\n")}
${functions.join("\n")}
${shared ? TOGETHER : ALONE}
${runFunction(scratchBytes)}
)`;
  const kernels = codes.map((code, i) => ({
    name: names.get(code.body) ?? "",
    function: functionIndex.get(code.body) ?? 0,
    tasks: code.tasks,
    waits: waits[i],
    buffers: code.buffers,
  }));
  return { text, scratchBytes, kernels };
}

/** Words of a kernel's entry in the table: function, tasks, whether to wait first, address of its buffers' addresses, tasks taken. */
export const ENTRY_WORDS = 5;
export const TAKEN_WORD = 4;

function runFunction(scratchBytes: number): Code {
  const word = (i: number): Code => `(i32.load offset=${4 * i} (local.get $entry))`;
  return `(func (export "run") (param $thread i32) (param $threads i32) (param $scratches i32) (param $entry i32) (param $end i32) (local $task i32)
(global.set $scratch (i32.add (local.get $scratches) (i32.mul (local.get $thread) ${i32(scratchBytes)})))
(block $finished (loop $kernels
(br_if $finished (i32.ge_u (local.get $entry) (local.get $end)))
(if ${word(2)} (then (call $barrier (local.get $threads))))
(block $done (loop $next
(br_if $done (i32.ge_u (local.tee $task (call $take (local.get $entry))) ${word(1)}))
(call_indirect (type $kernel) (local.get $task) ${word(3)} ${word(0)})
(br $next)))
(local.set $entry (i32.add (local.get $entry) ${i32(4 * ENTRY_WORDS)}))
(br $kernels)))
(call $barrier (local.get $threads)))`;
}

function nameFunctions(kernels: readonly Kernel[], codes: readonly KernelCode[]): Map<string, string> {
  const names = new Map<string, string>();
  codes.forEach((code, i) => {
    if (!names.has(code.body)) names.set(code.body, `$${kernels[i].kind}_${names.size}`);
  });
  return names;
}

/** One more task of a kernel is taken: its number. */
const TAKE = `func $take (param $entry i32) (result i32)`;
const TAKEN = `offset=${4 * TAKEN_WORD} (local.get $entry)`;

/**
 * Each thread counts in $arrivals, over all its programs, how many arrivals there have been when all are here.
 * Spins for some microseconds, then sleeps; wakes up to fail if another thread failed.
 */
const TOGETHER = `(${TAKE} (i32.atomic.rmw.add ${TAKEN} (i32.const 1)))
(func $barrier (param $threads i32) (local $seen i32) (local $spins i32)
(if (i32.eq (local.get $threads) (i32.const 1)) (then (return)))
(global.set $arrivals (i32.add (global.get $arrivals) (local.get $threads)))
(if (i32.eq (i32.add (i32.atomic.rmw.add ${i32(BARRIER_ADDRESS)} (i32.const 1)) (i32.const 1)) (global.get $arrivals))
 (then (drop (memory.atomic.notify ${i32(BARRIER_ADDRESS)} (i32.const -1))) (return)))
(local.set $spins (i32.const 20000))
(loop $wait
 (local.set $seen (i32.atomic.load ${i32(BARRIER_ADDRESS)}))
 (if (i32.ge_s (i32.sub (local.get $seen) (global.get $arrivals)) (i32.const 0)) (then (return)))
 (if (i32.atomic.load ${i32(ABORT_ADDRESS)}) (then (unreachable)))
 (if (local.get $spins)
  (then (local.set $spins (i32.sub (local.get $spins) (i32.const 1))))
  (else (drop (memory.atomic.wait32 ${i32(BARRIER_ADDRESS)} (local.get $seen) (i64.const 100000000)))))
 (br $wait)))`;

const ALONE = `(${TAKE} (i32.load ${TAKEN}) (i32.store ${TAKEN} (i32.add (i32.load ${TAKEN}) (i32.const 1))))
(func $barrier (param $threads i32))`;

function microFromName(name: string, relaxed: boolean): Code {
  const match = /^\$micro_(\d+)x(\d+)(_add)?$/.exec(name);
  if (!match) throw new Error(`internal: ${name} is no micro-kernel`);
  return microKernel(Number(match[1]), Number(match[2]), { accumulates: match[3] !== undefined, relaxed });
}

/** Memory that a kernel uses: in the workspace, or a buffer of its own. */
interface Span {
  readonly space: Buffer | "workspace";
  readonly start: number;
  readonly end: number;
}

/** Before which kernels all threads have to meet: where memory that an unfinished kernel uses is written or read. */
function barriersBefore(kernels: readonly Kernel[], offsets: ReadonlyMap<Buffer, number>): boolean[] {
  let written: Span[] = [];
  let read: Span[] = [];
  const spanOf = (buffer: Buffer): Span => {
    const offset = offsets.get(buffer);
    const start = offset ?? 0;
    return { space: offset === undefined ? buffer : "workspace", start, end: start + 4 * buffer.length };
  };
  const meet = (a: readonly Span[], b: readonly Span[]): boolean =>
    a.some((x) => b.some((y) => x.space === y.space && x.start < y.end && y.start < x.end));
  return kernels.map((kernel) => {
    const writes = writesOf(kernel).map(spanOf);
    const reads = [...readsOf(kernel)].map(spanOf);
    const conflict = meet(reads, written) || meet(writes, written) || meet(writes, read);
    if (conflict) {
      written = [];
      read = [];
    }
    written.push(...writes);
    read.push(...reads);
    return conflict;
  });
}
