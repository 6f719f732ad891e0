import type { Program } from "../../../compiler/program.ts";
import type { Graph } from "../../../tensor/graph.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { Executable } from "../../backend.ts";
import { checkInputs } from "../../common/checks.ts";
import { releaseWith } from "../../common/garbage.ts";
import type { Release } from "../../common/garbage.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { KernelProfile } from "../../common/kernel-profile.ts";
import type { Residency } from "../../common/residency.ts";
import type { VariableStore } from "../../common/variable-store.ts";
import { variablesOf } from "../../../tensor/graph.ts";
import { programOf } from "../program/compiled-program.ts";
import type { CompiledOperand, CompiledProgram } from "../program/compiled-program.ts";
import type { Heap } from "./heap.ts";
import { spanOf, tableBytes, tableWords } from "../program/kernel-table.ts";
import type { OperandPlace } from "../program/kernel-table.ts";
import type { RunArguments, ThreadPool } from "./thread-pool.ts";
import type { HeapBlock } from "./variable-memory.ts";
import { copyOf, viewOf } from "./views.ts";

/** What programs of one backend share. */
export interface ExecutionContext {
  readonly heap: Heap;
  readonly pool: ThreadPool;
  readonly queue: JobQueue;
  readonly variables: VariableStore<HeapBlock>;
  readonly residency: Residency;
  /** Memory for intermediate results and for each thread's own use; one program runs at a time. */
  readonly workspace: SharedBlock;
  readonly scratches: SharedBlock;
}

/** A block of memory that is replaced by a larger one when some program needs more. */
export class SharedBlock {
  readonly #heap: Heap;
  #address = 0;
  #bytes = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  get address(): number {
    return this.#address;
  }

  require(bytes: number): void {
    if (bytes <= this.#bytes) return;
    const before = this.#bytes;
    if (before > 0) this.#heap.free(this.#address, before);
    try {
      this.#address = this.#heap.allocate(bytes);
      this.#bytes = bytes;
    } catch (error) {
      // Programs that were loaded before still need theirs.
      if (before > 0) this.#address = this.#heap.allocate(before);
      throw error;
    }
  }
}

/** What frees a program's memory. It stands apart from the class so that it cannot keep a program alive. */
function unloading({ queue, pool, heap }: ExecutionContext, id: number, blocks: readonly HeapBlock[]): () => void {
  const unload = async (): Promise<void> => {
    await pool.unload(id);
    for (const { address, bytes } of blocks) heap.free(address, bytes);
  };
  return () => queue.free(unload);
}

export interface LoadedProgram {
  readonly graph: Graph;
  readonly compiled: CompiledProgram;
  /** What the threads know it by. */
  readonly id: number;
}

/** A program that is ready to run: its code is with the threads, its constants and its table of kernels in memory. */
export class WasmExecutable implements Executable {
  readonly workspaceBytes: number;
  readonly #context: ExecutionContext;
  readonly #loaded: LoadedProgram;
  readonly #variables: readonly Variable[];
  /** Addresses of literals, by their buffers' places. */
  readonly #literals = new Map<number, number>();
  readonly #table: number;
  readonly #owned: HeapBlock[] = [];
  readonly #release: Release;
  #disposed = false;

  /** @throws OutOfMemory where its constants do not fit */
  constructor(context: ExecutionContext, loaded: LoadedProgram) {
    const { compiled, graph, id } = loaded;
    const { heap } = context;
    this.#release = releaseWith(this, unloading(context, id, this.#owned));
    this.workspaceBytes = compiled.workspaceBytes;
    this.#context = context;
    this.#loaded = loaded;
    this.#variables = variablesOf(graph);
    try {
      compiled.buffers.forEach(({ dtype, length, place }, i) => {
        if (place.kind !== "literal") return;
        const address = this.#own(4 * length);
        this.#literals.set(i, address);
        viewOf(heap.memory, dtype, address, length).set(place.data);
      });
      this.#table = this.#own(tableBytes(compiled.steps));
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** The kernels, for people who want to know what takes time; they are not kept. */
  get program(): Program {
    return programOf(this.#loaded.graph);
  }

  async run(inputs: readonly NdArray[]): Promise<NdArray[]> {
    return (await this.#run(inputs, (args) => this.#context.pool.run(this.#loaded.id, args))).outputs;
  }

  /** Runs once, kernel by kernel, and times each. */
  async profile(inputs: readonly NdArray[]): Promise<KernelProfile[]> {
    const { value } = await this.#run(inputs, (args) => this.#context.pool.profile(this.#loaded.id, args));
    const kernels = this.#loaded.compiled.steps.flatMap((step) => step.kernels);
    const profile: KernelProfile[] = [];
    kernels.forEach(({ name, place }, i) => (profile[place] = { name, seconds: value[i] }));
    return profile;
  }

  dispose(): void {
    this.#disposed = true;
    this.#release();
  }

  #own(bytes: number): number {
    const address = this.#context.heap.allocate(bytes);
    this.#owned.push({ address, bytes });
    return address;
  }

  #run<T>(
    inputs: readonly NdArray[],
    start: (args: Omit<RunArguments, "thread" | "threads">) => Promise<T>,
  ): Promise<{ outputs: NdArray[]; value: T }> {
    return this.#context.residency.begin(this.#variables, () => this.#start(inputs, start));
  }

  async #start<T>(
    inputs: readonly NdArray[],
    start: (args: Omit<RunArguments, "thread" | "threads">) => Promise<T>,
  ): Promise<{ outputs: NdArray[]; value: T }> {
    if (this.#disposed) throw new Error("run: the program was disposed of");
    const { graph, compiled } = this.#loaded;
    checkInputs(graph, inputs);
    const variables = this.#variables.map((variable) => this.#context.variables.placeOf(variable).address);
    return this.#context.queue.run(async () => {
      const addresses = this.#addresses(variables);
      const { memory } = this.#context.heap;
      compiled.buffers.forEach(({ dtype, length, place }, i) => {
        if (place.kind === "workspace" && place.input !== undefined)
          viewOf(memory, dtype, addresses[i], length).set(inputs[place.input].data);
      });
      this.#writeTable(addresses);
      const value = await start({
        scratches: this.#context.scratches.address,
        ...spanOf(compiled.steps, this.#table),
      });
      const outputs = compiled.outputs.map((at, i) => {
        const { dtype, length } = compiled.buffers[at];
        return { shape: graph.outputs[i].shape, dtype, data: copyOf(memory, dtype, addresses[at], length) };
      });
      return { outputs, value };
    });
  }

  /** Where every buffer is now. */
  #addresses(variables: readonly number[]): number[] {
    const workspace = this.#context.workspace.address;
    return this.#loaded.compiled.buffers.map(({ place }, i) => {
      if (place.kind === "variable") return variables[place.variable];
      return place.kind === "literal" ? (this.#literals.get(i) ?? 0) : workspace + place.offset;
    });
  }

  #writeTable(addresses: readonly number[]): void {
    const placeOf = (operand: CompiledOperand): OperandPlace =>
      "own" in operand
        ? { address: operand.own, step: 0, isOwn: true }
        : { address: addresses[operand.buffer], step: operand.step, isOwn: false };
    const steps = this.#loaded.compiled.steps.map(({ slices, waits, kernels }) => ({
      slices,
      waits,
      kernels: kernels.map(({ function: place, tasks, operands }) => {
        return { function: place, tasks, operands: operands.map(placeOf) };
      }),
    }));
    const words = tableWords(steps, this.#table);
    viewOf(this.#context.heap.memory, "u32", this.#table, words.length).set(words);
  }
}
