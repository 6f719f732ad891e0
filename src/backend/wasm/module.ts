import { readsOf, writesOf } from "../../compiler/program.ts";
import type { Buffer, Kernel, Program } from "../../compiler/program.ts";
import { emitConvolution } from "./convolution.ts";
import { emitDot } from "./dot.ts";
import { emitFilterGradient } from "./filter-gradient.ts";
import type { KernelCode } from "./kernel.ts";
import { emitMap } from "./map.ts";
import { microKernel } from "./micro-kernel.ts";
import { emitReduce } from "./reduce.ts";
import { i32 } from "./writer.ts";
import type { Code } from "./writer.ts";

/** What the engine that runs the module can do. */
export interface Features {
  /** Merges pairs of vector operations into 256 bits. */
  readonly wide: boolean;
  /** Has relaxed SIMD: multiply-add in one instruction. */
  readonly relaxed: boolean;
}

/** Where buffers are: at a fixed address, or at an offset into the workspace of a run. */
export interface Address {
  readonly workspace: boolean;
  readonly bytes: number;
}

export interface ModulePlan {
  readonly addressOf: (buffer: Buffer) => Address;
  /** Of one counter per kernel, 4 bytes each, zero when a run starts. */
  readonly counters: number;
}

export interface WasmModule {
  readonly text: string;
  readonly scratchBytes: number;
  /** Per kernel: the function that it became, and how many tasks it has. */
  readonly kernels: readonly { readonly name: string; readonly tasks: number }[];
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
      return emitConvolution(kernel, wide);
    case "filterGradient":
      return emitFilterGradient(kernel, wide);
  }
}

/**
 * One module for a program. Kernels that differ only in the buffers they work on share a function. Every
 * thread calls `run`; it takes tasks of each kernel until none is left and waits for the others where the
 * next kernel depends on it.
 */
export function emitModule(program: Program, features: Features, plan: ModulePlan): WasmModule {
  const codes = program.kernels.map((kernel) => emitKernel(kernel, features));
  const names = nameFunctions(program.kernels, codes);
  const functions = [...names].map(([body, name]) => `(func ${name}${body})`);
  const micros = new Set(codes.flatMap((code) => [...code.calls]));
  const scratchBytes = Math.max(0, ...codes.map((code) => code.scratchBytes));
  const nameOf = (code: KernelCode): string => names.get(code.body) ?? "";
  const waits = barriersBefore(program.kernels, plan.addressOf);
  const body = codes.map(
    (code, i) =>
      `${waits[i] ? "(call $barrier (local.get $threads))" : ""}\n${callKernel(i, nameOf(code), code, plan)}`,
  );
  const text = `(module
(import "unnoise" "memory" (memory 1 65536 shared))
(import "unnoise" "pow" (func $pow (param f64 f64) (result f64)))
(import "unnoise" "arrivals" (global $arrivals (mut i32)))
(global $scratch (mut i32) (i32.const 0))
${[...micros].map((name) => microFromName(name, features.relaxed)).join("\n")}
${functions.join("\n")}
${BARRIER}
(func (export "run") (param $thread i32) (param $threads i32) (param $workspace i32) (param $scratches i32) (param $from i32) (param $to i32) (local $task i32)
(global.set $scratch (i32.add (local.get $scratches) (i32.mul (local.get $thread) ${i32(scratchBytes)})))
${body.join("\n")}
(call $barrier (local.get $threads)))
)`;
  return { text, scratchBytes, kernels: codes.map((code) => ({ name: nameOf(code), tasks: code.tasks })) };
}

function nameFunctions(kernels: readonly Kernel[], codes: readonly KernelCode[]): Map<string, string> {
  const names = new Map<string, string>();
  codes.forEach((code, i) => {
    if (!names.has(code.body)) names.set(code.body, `$${kernels[i].kind}_${names.size}`);
  });
  return names;
}

function callKernel(index: number, name: string, code: KernelCode, plan: ModulePlan): Code {
  const addresses = code.buffers.map((buffer) => {
    const { workspace, bytes } = plan.addressOf(buffer);
    return workspace ? `(i32.add (local.get $workspace) ${i32(bytes)})` : i32(bytes);
  });
  return `(if (i32.and (i32.le_u (local.get $from) ${i32(index)}) (i32.gt_u (local.get $to) ${i32(index)})) (then
(block $done (loop $next
(br_if $done (i32.ge_u (local.tee $task (i32.atomic.rmw.add ${i32(plan.counters + 4 * index)} (i32.const 1))) ${i32(code.tasks)}))
(call ${name} (local.get $task) ${addresses.join(" ")})
(br $next)))))`;
}

/**
 * Each thread counts in $arrivals, over all its programs, how many arrivals there have been when all are here.
 * Spins for some microseconds, then sleeps; wakes up to fail if another thread failed.
 */
const BARRIER = `(func $barrier (param $threads i32) (local $seen i32) (local $spins i32)
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

function microFromName(name: string, relaxed: boolean): Code {
  const match = /^\$micro_(\d+)x(\d+)(_add)?$/.exec(name);
  if (!match) throw new Error(`internal: ${name} is no micro-kernel`);
  return microKernel(Number(match[1]), Number(match[2]), { accumulates: match[3] !== undefined, relaxed });
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly workspace: boolean;
}

/** Before which kernels all threads have to meet: where memory that an unfinished kernel uses is written or read. */
function barriersBefore(kernels: readonly Kernel[], addressOf: ModulePlan["addressOf"]): boolean[] {
  let written: Span[] = [];
  let read: Span[] = [];
  const spanOf = (buffer: Buffer): Span => {
    const { workspace, bytes } = addressOf(buffer);
    return { workspace, start: bytes, end: bytes + 4 * buffer.length };
  };
  const meet = (a: readonly Span[], b: readonly Span[]): boolean =>
    a.some((x) => b.some((y) => x.workspace === y.workspace && x.start < y.end && y.start < x.end));
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
