import { compileGraph } from "../../../compiler/compiler.ts";
import { planMemory } from "../../../compiler/memory.ts";
import type { Buffer, Program } from "../../../compiler/program.ts";
import type { DType, TypedArray } from "../../../tensor/dtype.ts";
import type { Graph } from "../../../tensor/graph.ts";
import type { Variable } from "../../../tensor/variable.ts";
import { variablesOf } from "../../../tensor/graph.ts";
import { encodeModule } from "../assembly/encode-module.ts";
import type { ModuleBuilder } from "../assembly/module-builder.ts";
import { checkAddressable } from "./address-space.ts";
import { CHAIN_LIMITS, chainKernels, kernelsOf } from "./chains.ts";
import type { ChainLimits } from "./chains.ts";
import { measuredTarget } from "../../common/measured-target.ts";
import type { TableStep } from "./kernel-table.ts";
import { emitModule } from "./module.ts";
import type { Features, Operand } from "./module.ts";
import { useWinograd } from "./transformed-filters.ts";

/** All that it takes to run a program; what it was compiled from is not needed any more. */
export interface CompiledProgram {
  /** The WebAssembly module. */
  readonly module: Uint8Array<ArrayBuffer>;
  /** Memory of its own that each thread needs. */
  readonly scratchBytes: number;
  readonly workspaceBytes: number;
  readonly buffers: readonly PlacedBuffer[];
  readonly steps: readonly TableStep<CompiledKernel>[];
  /** Places in `buffers`. */
  readonly outputs: readonly number[];
}

export interface PlacedBuffer {
  readonly dtype: DType;
  readonly length: number;
  readonly place: BufferPlace;
}

/** Inputs and intermediate results lie in the workspace, `offset` bytes from its start. */
export type BufferPlace =
  | { readonly kind: "workspace"; readonly offset: number; readonly input?: number }
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
  /** Which kernels run slice by slice; the usual ones unless given. */
  readonly chains?: ChainLimits | undefined;
  /** Is shown the module. */
  readonly dump?: ((module: ModuleBuilder) => void) | undefined;
}

/** The kernels of a graph, as this backend runs them. */
export function programOf(graph: Graph): Program {
  return useWinograd(compileGraph(graph, measuredTarget));
}

export function compileProgram(graph: Graph, options: CodegenOptions): CompiledProgram {
  const program = programOf(graph);
  const chained = chainKernels(program, options.chains ?? CHAIN_LIMITS);
  const plan = planMemory(program, chained.map(kernelsOf));
  checkAddressable(plan.bytes);
  const { module, scratchBytes, steps } = emitModule(chained, plan.offsets, {
    ...options,
    printable: options.dump !== undefined,
  });
  options.dump?.(module);
  const places = placesOf(program, plan.offsets, variablesOf(graph));
  const numbers = new Map([...places.keys()].map((buffer, i) => [buffer, i]));
  const numberOf = (buffer: Buffer): number => {
    const number = numbers.get(buffer);
    if (number === undefined) throw new Error(`internal: buffer ${buffer.id} has no place`);
    return number;
  };
  const placed = (operand: Operand): CompiledOperand =>
    "own" in operand ? operand : { buffer: numberOf(operand.buffer), step: operand.step };
  return {
    module: encodeModule(module, { withNames: options.dump !== undefined }),
    scratchBytes,
    workspaceBytes: plan.bytes,
    buffers: [...places].map(([{ dtype, length }, place]) => ({ dtype, length, place })),
    steps: steps.map(({ slices, waits, kernels }) => ({
      slices,
      waits,
      kernels: kernels.map(({ name, function: place, tasks, operands, place: at }) => {
        return { name, function: place, tasks, operands: operands.map(placed), place: at };
      }),
    })),
    outputs: program.outputs.map(numberOf),
  };
}

/** Where the buffers that are used lie. */
function placesOf(
  { buffers }: Program,
  offsets: ReadonlyMap<Buffer, number>,
  variables: readonly Variable[],
): Map<Buffer, BufferPlace> {
  const places = new Map<Buffer, BufferPlace>();
  for (const buffer of buffers) {
    const { source } = buffer;
    const offset = offsets.get(buffer);
    if (source.kind === "variable")
      places.set(buffer, { kind: "variable", variable: variables.indexOf(source.variable) });
    else if (source.kind === "literal") places.set(buffer, { kind: "literal", data: source.data });
    else if (offset !== undefined) {
      const input = source.kind === "input" ? { input: source.index } : {};
      places.set(buffer, { kind: "workspace", offset, ...input });
    }
  }
  return places;
}
