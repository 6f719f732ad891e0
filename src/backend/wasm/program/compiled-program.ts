import { compileGraph } from "../../../compiler/compiler.ts";
import { blocksOf, offsetsAt, planMemory } from "../../../compiler/memory.ts";
import type { MemoryPlan } from "../../../compiler/memory.ts";
import { stagePrelude, withoutPrelude } from "../../../compiler/passes/prelude.ts";
import type { StagedProgram } from "../../../compiler/passes/prelude.ts";
import { readsOf } from "../../../compiler/accesses.ts";
import { partsOf } from "../../../compiler/program.ts";
import type { Buffer } from "../../../compiler/program.ts";
import type { DType, TypedArray } from "../../../tensor/dtype.ts";
import type { Graph } from "../../../tensor/graph.ts";
import type { Variable } from "../../../tensor/variable.ts";
import { variablesOf } from "../../../tensor/graph.ts";
import { encodeModule } from "../assembly/encode-module.ts";
import type { ModuleBuilder } from "../assembly/module-builder.ts";
import { checkAddressable } from "./address-space.ts";
import { CHAIN_LIMITS, chainKernels, kernelsOf } from "./chains.ts";
import type { ChainLimits, Step } from "./chains.ts";
import { wasmTarget } from "./wasm-target.ts";
import { updateEarly } from "./early-updates.ts";
import type { TableStep } from "./kernel-table.ts";
import { emitModule } from "./module.ts";
import type { Features, Operand } from "./module.ts";
import { joinSmallKernels } from "./small-kernels.ts";
import { useWinograd } from "./winograd.ts";

/** All that it takes to run a program; what it was compiled from is not needed any more. */
export interface CompiledProgram {
  /** The WebAssembly module. */
  readonly module: Uint8Array<ArrayBuffer>;
  /** Memory of its own that each thread needs. */
  readonly scratchBytes: number;
  readonly workspaceBytes: number;
  /** Memory of the program's own, for what the prelude computes. */
  readonly keptBytes: number;
  readonly buffers: readonly PlacedBuffer[];
  readonly steps: readonly TableStep<CompiledKernel>[];
  /** How many of the steps, the first ones, run again only when a variable was written that they read. */
  readonly preludeSteps: number;
  /** The variables that those read, as places in variablesOf(graph). */
  readonly preludeReads: readonly number[];
  /** Variables that lie one after another, as places in variablesOf(graph). */
  readonly arenas: readonly (readonly number[])[];
  /** Places in `buffers`. */
  readonly outputs: readonly number[];
}

export interface PlacedBuffer {
  readonly dtype: DType;
  readonly length: number;
  readonly place: BufferPlace;
}

/** Inputs and intermediate results lie in the workspace, what is kept in memory of its own, `offset` bytes from its start. */
export type BufferPlace =
  | { readonly kind: "workspace"; readonly offset: number; readonly input?: number }
  | { readonly kind: "kept"; readonly offset: number }
  | { readonly kind: "variable"; readonly variable: number } // a place in variablesOf(graph)
  | { readonly kind: "literal"; readonly data: TypedArray };

export interface CompiledKernel {
  /** The function that it became, by name and by place in the module's table. */
  readonly name: string;
  readonly function: number;
  readonly tasks: number;
  readonly operands: readonly CompiledOperand[];
  /** Among the program's kernels. */
  readonly place: number;
}

/** A place in `buffers` with the bytes from slice to slice, or an offset in the memory of the thread's own. */
export type CompiledOperand = { readonly buffer: number; readonly step: number } | { readonly own: number };

/** How a program becomes WebAssembly. */
export interface CodegenOptions {
  readonly features: Features;
  readonly sharesMemory: boolean;
  /** Whether what depends on variables alone is kept from run to run, where it is not too large; by default it is. */
  readonly keeps?: boolean | undefined;
  /** Whether convolutions keep to F(2x2, 3x3), whose errors are smaller than those of F(4x4, 3x3). */
  readonly strict?: boolean | undefined;
  /** Which kernels run slice by slice; the usual ones unless given. */
  readonly chains?: ChainLimits | undefined;
  /** Is shown the module. */
  readonly dump?: ((module: ModuleBuilder) => void) | undefined;
}

/** More than this, in bytes, is computed in every run rather than kept: transformed filters take several times their own. */
const MOST_KEPT_BYTES = 2 ** 29;

/** Whether a graph's program is to keep what depends on variables alone: not where those are stored small to save memory. */
export function keepsOf(graph: Graph): boolean {
  return !variablesOf(graph).some(({ isPacked }) => isPacked);
}

/** The kernels of a graph, as this backend runs them. */
export function programOf(
  graph: Graph,
  { keeps = true, strict = false }: Pick<CodegenOptions, "keeps" | "strict"> = {},
): StagedProgram {
  const program = useWinograd(compileGraph(graph, wasmTarget), { strict });
  return keeps ? stagePrelude(program, MOST_KEPT_BYTES) : withoutPrelude(program);
}

export function compileProgram(graph: Graph, options: CodegenOptions): CompiledProgram {
  const program = programOf(graph, options);
  const parts = planParts(program, options.chains ?? CHAIN_LIMITS);
  const [prelude, rest] = parts;
  const workspaceBytes = Math.max(prelude.plan.bytes, rest.plan.bytes);
  checkAddressable(workspaceBytes);
  const offsets = new Map([...prelude.plan.offsets, ...rest.plan.offsets]);
  const { module, scratchBytes, steps } = emitModule([...prelude.steps, ...rest.steps], offsets, {
    ...options,
    printable: options.dump !== undefined,
  });
  options.dump?.(module);
  const kept = placeKept(program);
  const variables = variablesOf(graph);
  const places = placesOf(program, { workspace: offsets, kept: kept.offsets }, variables);
  const numbers = new Map([...places.keys()].map((buffer, i) => [buffer, i]));
  const numberOf = (buffer: Buffer): number => {
    const number = numbers.get(buffer);
    if (number === undefined) throw new Error(`internal: buffer ${buffer.id} has no place`);
    return number;
  };
  const placed = (operand: Operand): CompiledOperand =>
    "own" in operand ? operand : { buffer: numberOf(partsOf(operand.buffer)[0]), step: operand.step };
  return {
    module: encodeModule(module, { withNames: options.dump !== undefined }),
    scratchBytes,
    workspaceBytes,
    keptBytes: kept.bytes,
    buffers: [...places].map(([{ dtype, length }, place]) => ({ dtype, length, place })),
    steps: steps.map(({ slices, waits, kernels }) => ({
      slices,
      waits,
      kernels: kernels.map(({ name, function: place, tasks, operands, place: at }) => {
        return { name, function: place, tasks, operands: operands.map(placed), place: at };
      }),
    })),
    preludeSteps: prelude.steps.length,
    preludeReads: placesAmong(
      variables,
      program.kernels.slice(0, program.preludeLength).flatMap((kernel) => Array.from(readsOf(kernel))),
    ),
    arenas: program.arenas.map((parts) => placesAmong(variables, parts)).filter((places) => places.length > 0),
    outputs: program.outputs.map(numberOf),
  };
}

/** Which of the variables are among some buffers, each once. */
function placesAmong(variables: readonly Variable[], buffers: readonly Buffer[]): number[] {
  const found = buffers.flatMap(({ source }) => (source.kind === "variable" ? variables.indexOf(source.variable) : []));
  return [...new Set(found)];
}

interface PlannedPart {
  readonly steps: readonly Step[];
  readonly plan: MemoryPlan;
}

/** The steps of the prelude and of the rest. Both use the same workspace, one after the other. */
function planParts(
  { kernels, preludeLength, kept, buffers, outputs, arenas, alignment }: StagedProgram,
  limits: ChainLimits,
): PlannedPart[] {
  const own = buffers.filter((buffer) => !kept.has(buffer));
  const handedOut = outputs.filter((buffer) => !kept.has(buffer));
  const planned = (start: number, end: number, results: readonly Buffer[]): PlannedPart => {
    const part = kernels.slice(start, end);
    const chained = chainKernels({ kernels: part, shared: [...kept, ...results], start }, limits);
    const steps = joinSmallKernels(updateEarly(chained, new Set([...kept, ...results])));
    const planned = { kernels: part, buffers: own, outputs: results, arenas, alignment };
    return { steps, plan: planMemory(planned, steps.map(kernelsOf)) };
  };
  return [planned(0, preludeLength, []), planned(preludeLength, kernels.length, handedOut)];
}

/** One after another: all of them are kept at the same time. */
function placeKept({ kept, arenas, alignment }: StagedProgram): MemoryPlan {
  let bytes = 0;
  const blocks = new Set(blocksOf({ buffers: [...kept], arenas, alignment }).values());
  const offsets = Array.from(blocks, (block) => offsetsAt(block, (bytes += block.bytes) - block.bytes));
  return { offsets: new Map(offsets.flat()), bytes };
}

/** Where the buffers that are used lie. */
function placesOf(
  { buffers }: StagedProgram,
  offsets: { readonly workspace: MemoryPlan["offsets"]; readonly kept: MemoryPlan["offsets"] },
  variables: readonly Variable[],
): Map<Buffer, BufferPlace> {
  const places = new Map<Buffer, BufferPlace>();
  for (const buffer of buffers) {
    const { source } = buffer;
    const [offset, ofKept] = [offsets.workspace.get(buffer), offsets.kept.get(buffer)];
    if (source.kind === "variable")
      places.set(buffer, { kind: "variable", variable: variables.indexOf(source.variable) });
    else if (source.kind === "literal") places.set(buffer, { kind: "literal", data: source.data });
    else if (ofKept !== undefined) places.set(buffer, { kind: "kept", offset: ofKept });
    else if (offset !== undefined) {
      const input = source.kind === "input" ? { input: source.index } : {};
      places.set(buffer, { kind: "workspace", offset, ...input });
    }
  }
  return places;
}
