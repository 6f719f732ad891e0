import { planMemory } from "../../../compiler/memory.ts";
import { readsOf, writesOf } from "../../../compiler/program.ts";
import type { Buffer, Kernel } from "../../../compiler/program.ts";
import { kernelsOf } from "./chains.ts";
import type { Chain, Step } from "./chains.ts";
import { emitConvolution } from "../kernels/convolution.ts";
import { emitDot } from "../kernels/dot.ts";
import { emitFilterGradient } from "../kernels/filter-gradient.ts";
import type { Emission, KernelCode } from "../kernels/kernel.ts";
import { TAKEN_WORD, runFunction } from "./kernel-table.ts";
import type { TableStep } from "./kernel-table.ts";
import { emitMap } from "../kernels/map.ts";
import { microKernel } from "../kernels/micro-kernel.ts";
import { emitReduce } from "../kernels/reduce.ts";
import { emitWinogradFilterGradient } from "../kernels/winograd/filter-gradient.ts";
import { emitWinograd } from "../kernels/winograd/convolution.ts";
import { i32 } from "../emit/writer.ts";
import type { Code } from "../emit/writer.ts";

/** What the engine that runs the module can do. */
export interface Features {
  /** Merges pairs of vector operations into 256 bits. */
  readonly wide: boolean;
  /** Has relaxed SIMD: multiply-add in one instruction. */
  readonly relaxed: boolean;
}

export interface WasmModule {
  readonly text: string;
  /** Of each thread. */
  readonly scratchBytes: number;
  /** The table that `run` walks through, apart from addresses. */
  readonly steps: readonly TableStep<KernelEntry>[];
}

export interface KernelEntry {
  /** The function that it became, by name and by place. */
  readonly name: string;
  readonly function: number;
  readonly tasks: number;
  readonly operands: readonly Operand[];
  /** Among the program's kernels. */
  readonly place: number;
}

/** A buffer, with the bytes from slice to slice, or an offset in the memory of the thread's own. */
export type Operand = { readonly buffer: Buffer; readonly step: number } | { readonly own: number };

/** Words at the start of memory, in bytes: how often threads arrived at a barrier, and whether one failed. */
export const BARRIER_ADDRESS = 64;
export const ABORT_ADDRESS = 128;
/** Memory below this address is never given out. */
export const FIRST_ADDRESS = 1024;

function emitKernel(kernel: Kernel, emission: Emission): KernelCode {
  switch (kernel.kind) {
    case "map":
      return emitMap(kernel, emission);
    case "reduce":
      return emitReduce(kernel, emission);
    case "dot":
      return emitDot(kernel, emission);
    case "convolution":
      return kernel.transformed ? emitWinograd(kernel, emission) : emitConvolution(kernel, emission);
    case "filterGradient":
      return kernel.transformed ? emitWinogradFilterGradient(kernel, emission) : emitFilterGradient(kernel, emission);
  }
}

/** A kernel's code, and how it finds its operands. */
interface Emitted {
  readonly code: KernelCode;
  readonly kernel: Kernel;
  readonly place: number;
  readonly stepOf: (buffer: Buffer) => number;
  /** Offsets of buffers that each thread has of its own. */
  readonly own: ReadonlyMap<Buffer, number>;
}

/**
 * One module for a program. Kernels that differ only in the buffers they work on share a function. What runs,
 * and on which buffers, stands in a table in memory.
 *
 * @param shared whether threads share the memory; else there is one thread, and nothing atomic is needed
 */
export function emitModule(
  steps: readonly Step[],
  offsets: ReadonlyMap<Buffer, number>,
  features: Features,
  shared: boolean,
): WasmModule {
  const plans = steps.map((step) => (step.kind === "chain" ? planOwn(step) : { offsets: NONE, bytes: 0 }));
  const emitted = steps.map((step, i) => emitStep(step, plans[i].offsets, features));
  const codes = emitted.flat().map(({ code }) => code);
  const names = nameFunctions(emitted.flat());
  const functions = [...names].map(([body, name]) => `(func ${name}${body})`);
  const functionIndex = new Map([...names.keys()].map((body, i) => [body, i]));
  const micros = new Set(codes.flatMap((code) => [...code.calls]));
  // A thread's own memory: what kernels use while they run, buffers of a slice, addresses of operands.
  const ownAt = largest(codes.map((code) => code.scratchBytes));
  const operandsAt = ownAt + largest(plans.map(({ bytes }) => bytes));
  const scratchBytes = operandsAt + 64 * Math.ceil(largest(codes.map(({ buffers }) => 4 * buffers.length)) / 64);
  const text = `(module
(import "unnoise" "memory" (memory 1 65536${shared ? " shared" : ""}))
(import "unnoise" "pow" (func $pow (param f64 f64) (result f64)))
(import "unnoise" "tick" (func $tick (param i32)))
(import "unnoise" "arrivals" (global $arrivals (mut i32)))
(global $scratch (mut i32) (i32.const 0))
(type $kernel (func (param i32 i32)))
(table ${functions.length} funcref)
(elem (i32.const 0) ${[...names.values()].join(" ")})
${[...micros].map((name) => microFromName(name, features.relaxed)).join("\n")}
${functions.join("\n")}
${shared ? TOGETHER : ALONE}
${runFunction(scratchBytes, operandsAt)}
)`;
  const entryOf = ({ code: { body, tasks, buffers }, place, stepOf, own }: Emitted): KernelEntry => ({
    name: names.get(body) ?? "",
    function: functionIndex.get(body) ?? 0,
    tasks,
    operands: buffers.map((buffer): Operand => {
      const offset = own.get(buffer);
      return offset === undefined ? { buffer, step: stepOf(buffer) } : { own: ownAt + offset };
    }),
    place,
  });
  const waits = barriersBefore(steps, offsets);
  const table = steps.map((step, i) => ({
    slices: step.kind === "chain" ? step.slices : 0,
    waits: waits[i],
    kernels: emitted[i].map(entryOf),
  }));
  return { text, scratchBytes, steps: table };
}

const NONE: ReadonlyMap<Buffer, number> = new Map();

function largest(numbers: readonly number[]): number {
  return numbers.reduce((most, n) => Math.max(most, n), 0);
}

/** Where the buffers lie of which each thread has its own. */
function planOwn({ members, own }: Chain): ReturnType<typeof planMemory> {
  return planMemory({ kernels: members.map(({ kernel }) => kernel), outputs: [], buffers: own });
}

function emitStep(step: Step, own: ReadonlyMap<Buffer, number>, { wide }: Features): Emitted[] {
  if (step.kind === "single") {
    const { kernel, place } = step;
    return [{ code: emitKernel(kernel, { wide, runs: 1 }), kernel, place, stepOf: () => 0, own }];
  }
  const { slices, members } = step;
  return members.map(({ kernel, sliced, place }) => ({
    code: emitKernel(kernel, { wide, runs: slices }),
    kernel,
    place,
    stepOf: (buffer) => (sliced.has(buffer) ? (4 * buffer.length) / slices : 0),
    own,
  }));
}

function nameFunctions(codes: readonly Emitted[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { code, kernel } of codes)
    if (!names.has(code.body)) names.set(code.body, `$${kernel.kind}_${names.size}`);
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

/** Before which steps all threads have to meet: where memory that an unfinished step uses is written or read. */
function barriersBefore(steps: readonly Step[], offsets: ReadonlyMap<Buffer, number>): boolean[] {
  let written: Span[] = [];
  let read: Span[] = [];
  const spanOf = (buffer: Buffer): Span => {
    const offset = offsets.get(buffer);
    const start = offset ?? 0;
    return { space: offset === undefined ? buffer : "workspace", start, end: start + 4 * buffer.length };
  };
  const meet = (a: readonly Span[], b: readonly Span[]): boolean =>
    a.some((x) => b.some((y) => x.space === y.space && x.start < y.end && y.start < x.end));
  return steps.map((step) => {
    const own = new Set(step.kind === "chain" ? step.own : []);
    const spansOf = (buffersOf: (kernel: Kernel) => Iterable<Buffer>): Span[] => {
      const buffers = new Set<Buffer>();
      for (const kernel of kernelsOf(step))
        for (const buffer of buffersOf(kernel)) if (!own.has(buffer)) buffers.add(buffer);
      return Array.from(buffers, spanOf);
    };
    const [reads, writes] = [spansOf(readsOf), spansOf(writesOf)];
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
