import { planMemory } from "../../../compiler/memory.ts";
import type { Buffer, Kernel } from "../../../compiler/program.ts";
import { ModuleBuilder } from "../assembly/module-builder.ts";
import { wholeLines } from "../emit/addresses.ts";
import { ARRIVALS, POW, SCRATCH, TICK } from "../emit/module-interface.ts";
import { emitAttentionGradient } from "../kernels/attention/backward.ts";
import { emitAttention } from "../kernels/attention/forward.ts";
import { emitConvolution } from "../kernels/convolution.ts";
import { emitDot } from "../kernels/dot.ts";
import { emitFilterGradient } from "../kernels/filter-gradient.ts";
import type { KernelCode, KernelOptions } from "../kernels/kernel-builder.ts";
import { emitMap } from "../kernels/map.ts";
import { MicroKernels } from "../kernels/micro-kernel.ts";
import { emitReduce } from "../kernels/reduce/reduce.ts";
import { emitTransformKernel } from "../kernels/winograd/transform-kernel.ts";
import { emitWideWinograd } from "../kernels/winograd/wide-convolution.ts";
import { emitWideFilterGradient } from "../kernels/winograd/wide-filter-gradient.ts";
import { emitWinograd } from "../kernels/winograd/convolution.ts";
import { emitWinogradFilterGradient } from "../kernels/winograd/filter-gradient.ts";
import { barriersBefore } from "./barriers.ts";
import type { Chain, Step } from "./chains.ts";
import { shapeOf } from "../../../compiler/kernel-shape.ts";
import type { KernelShape } from "../../../compiler/kernel-shape.ts";
import type { TableStep } from "./kernel-table.ts";
import { runFunction } from "./run-function.ts";

/** What the engine that runs the module can do. */
export interface Features {
  /** Merges pairs of vector operations into 256 bits. */
  readonly wide: boolean;
  /** Has relaxed SIMD: multiply-add in one instruction. */
  readonly relaxed: boolean;
}

/** What a module is emitted for. */
export interface ModuleTarget {
  readonly features: Features;
  /** Whether threads share the memory; else there is one thread, and nothing atomic is needed. */
  readonly sharesMemory: boolean;
  /** Whether the module is to be shown to people. */
  readonly printable: boolean;
}

export interface ProgramModule {
  readonly module: ModuleBuilder;
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

function emitKernel(kernel: Kernel, options: KernelOptions): KernelCode {
  switch (kernel.kind) {
    case "map":
      return emitMap(kernel, options);
    case "reduce":
      return emitReduce(kernel, options);
    case "dot":
      return emitDot(kernel, options);
    case "convolution":
      if (!kernel.tile) return emitConvolution(kernel, options);
      return (kernel.ahead === "filters" ? emitWinograd : emitWideWinograd)(kernel, kernel.tile, options);
    case "filterGradient":
      if (!kernel.tile) return emitFilterGradient(kernel, options);
      return (kernel.isAhead ? emitWideFilterGradient : emitWinogradFilterGradient)(kernel, kernel.tile, options);
    case "transform":
      return emitTransformKernel(kernel, options);
    case "attention":
      return emitAttention(kernel, options);
    case "attentionGradient":
      return emitAttentionGradient(kernel, options);
  }
}

/** A kernel's function in the module, and how it finds its operands. */
interface EmittedKernel {
  readonly name: string;
  readonly function: number;
  readonly code: Omit<KernelCode, "definition">;
  readonly place: number;
  readonly stepOf: (buffer: Buffer) => number;
  /** Offsets of buffers that each thread has of its own. */
  readonly own: ReadonlyMap<Buffer, number>;
}

/**
 * One module for a program. Kernels that differ only in the buffers they work on share a function. What runs, and on which
 * buffers, stands in a table in memory.
 */
export function emitModule(
  steps: readonly Step[],
  offsets: ReadonlyMap<Buffer, number>,
  target: ModuleTarget,
): ProgramModule {
  const emitter = new KernelEmitter(target);
  const plans = steps.map((step) => (step.kind === "chain" ? planOwn(step) : { offsets: NONE, bytes: 0 }));
  const emitted = steps.map((step, i) => emitter.emit(step, plans[i].offsets));
  const codes = emitted.flat().map(({ code }) => code);
  // A thread's own memory: what kernels use while they run, buffers of a slice, addresses of operands.
  const ownAt = largest(codes.map((code) => code.scratchBytes));
  const operandsAt = ownAt + largest(plans.map(({ bytes }) => bytes));
  const scratchBytes = operandsAt + wholeLines(largest(codes.map(({ buffers }) => 4 * buffers.length)));
  const entryOf = ({
    name,
    function: at,
    code: { tasks, buffers },
    place,
    stepOf,
    own,
  }: EmittedKernel): KernelEntry => ({
    name,
    function: at,
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
  const { module } = emitter;
  module.export("run", runFunction({ scratchBytes, operandsAt, shared: target.sharesMemory }));
  return { module, scratchBytes, steps: table };
}

/** Emits kernels one after the other into a module; what they are made of is dropped as soon as they are encoded. */
class KernelEmitter {
  readonly module: ModuleBuilder;
  readonly #wide: boolean;
  readonly #microKernels: MicroKernels;
  /** What kernels became, by their shape and how often they run. */
  readonly #known = new Map<string, EmittedShape>();

  constructor({ features, sharesMemory, printable }: ModuleTarget) {
    this.module = startModule(sharesMemory, printable);
    this.#wide = features.wide;
    this.#microKernels = new MicroKernels(features.relaxed);
  }

  emit(step: Step, own: ReadonlyMap<Buffer, number>): EmittedKernel[] {
    if (step.kind === "single") return [this.#define(step.kernel, 1, { place: step.place, stepOf: () => 0, own })];
    const { slices, members } = step;
    return members.map(({ kernel, sliced, place }) => {
      const stepOf = (buffer: Buffer): number => (sliced.has(buffer) ? (4 * buffer.length) / slices : 0);
      return this.#define(kernel, slices, { place, stepOf, own });
    });
  }

  #define(kernel: Kernel, runs: number, operands: Pick<EmittedKernel, "place" | "stepOf" | "own">): EmittedKernel {
    const shape = shapeOf(kernel);
    const key = `${runs} ${shape.key}`;
    const known = this.#known.get(key) ?? this.#emitShape(kernel, runs, shape);
    this.#known.set(key, known);
    const { name, function: at, tasks, scratchBytes } = known;
    const buffers = known.buffers.map((number) => shape.buffers[number]);
    return { name, function: at, code: { tasks, scratchBytes, buffers }, ...operands };
  }

  #emitShape(kernel: Kernel, runs: number, shape: KernelShape): EmittedShape {
    const { definition, ...code } = emitKernel(kernel, { wide: this.#wide, runs, microKernels: this.#microKernels });
    const named = { ...definition, name: `${kernel.kind}_${this.module.table.length}` };
    const encoded = this.module.define(named);
    const buffers = code.buffers.map((buffer) => shape.buffers.indexOf(buffer));
    return { ...code, name: encoded.name, function: this.module.tableIndex(encoded), buffers };
  }
}

/** The code of all kernels of one shape. */
interface EmittedShape extends Omit<KernelCode, "definition" | "buffers"> {
  readonly name: string;
  readonly function: number;
  /** Places in the list of the shape's buffers. */
  readonly buffers: readonly number[];
}

/** A module with what every program has. */
function startModule(shared: boolean, printable: boolean): ModuleBuilder {
  const module = new ModuleBuilder({ printable });
  const from = (field: string) => ({ module: "unnoise", field });
  module.import({ ...from("memory"), kind: "memory", memory: { minimum: 1, maximum: 65536, shared } });
  for (const callable of [POW, TICK]) module.import({ ...from(callable.name), kind: "function", callable });
  module.import({ ...from(ARRIVALS.name), kind: "global", global: ARRIVALS });
  module.defineGlobal(SCRATCH, 0);
  return module;
}

const NONE: ReadonlyMap<Buffer, number> = new Map();

function largest(numbers: readonly number[]): number {
  return numbers.reduce((most, n) => Math.max(most, n), 0);
}

/** Where the buffers lie of which each thread has its own. */
function planOwn({ members, own }: Chain): ReturnType<typeof planMemory> {
  return planMemory({ kernels: members.map(({ kernel }) => kernel), outputs: [], buffers: own });
}
