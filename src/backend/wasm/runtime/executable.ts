import type { Program } from "../../../compiler/program.ts";
import type { Graph } from "../../../tensor/graph.ts";
import type { NdArray } from "../../../tensor/ndarray.ts";
import type { Variable } from "../../../tensor/variable.ts";
import type { Executable, GroupExchange } from "../../backend.ts";
import { checkInputs } from "../../common/checks.ts";
import { releaseWith } from "../../common/garbage.ts";
import type { Release } from "../../common/garbage.ts";
import type { JobQueue } from "../../common/job-queue.ts";
import type { KernelProfile } from "../../common/kernel-profile.ts";
import type { Residency } from "../../common/residency.ts";
import type { VariableStore } from "../../common/variable-store.ts";
import { variablesOf } from "../../../tensor/graph.ts";
import { programOf } from "../program/compiled-program.ts";
import type { CompiledKernel, CompiledProgram } from "../program/compiled-program.ts";
import type { EarlyExchange } from "./early-exchange.ts";
import type { Heap } from "./heap.ts";
import { PreludeState } from "./prelude-state.ts";
import { ProgramTable } from "./program-table.ts";
import type { RunArguments, ThreadPool } from "./thread-pool.ts";
import type { HeapBlock, HeapVariables, VariableBlock } from "./variable-memory.ts";
import { copyOf, viewOf } from "./views.ts";

/** What programs of one backend share. */
export interface ExecutionContext {
  readonly heap: Heap;
  readonly pool: ThreadPool;
  readonly queue: JobQueue;
  readonly memory: HeapVariables;
  readonly variables: VariableStore<VariableBlock>;
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
  readonly strict: boolean;
  readonly compiled: CompiledProgram;
  /** Whether it was compiled to keep what depends on variables alone. */
  readonly keeps: boolean;
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
  /** Of what the prelude computes. */
  readonly #kept: number;
  readonly #table: ProgramTable;
  readonly #prelude: PreludeState;
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
    this.#prelude = new PreludeState(compiled);
    try {
      compiled.buffers.forEach(({ dtype, length, place }, i) => {
        if (place.kind !== "literal") return;
        const address = this.#own(4 * length);
        this.#literals.set(i, address);
        viewOf(heap.memory, dtype, address, length).set(place.data);
      });
      this.#kept = this.#own(compiled.keptBytes);
      this.#table = new ProgramTable(heap, compiled, this.#own(ProgramTable.bytesFor(compiled)));
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** The kernels, for people who want to know what takes time; they are not kept. */
  get program(): Program {
    return programOf(this.#loaded.graph, this.#loaded);
  }

  get heldBytes(): number {
    return this.#owned.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async run(inputs: readonly NdArray[]): Promise<NdArray[]> {
    return (await this.#run(inputs, this.#walk)).outputs;
  }

  async runAndExchange(inputs: readonly NdArray[], exchange: GroupExchange): Promise<NdArray[]> {
    // Pages have nobody to exchange with.
    const { EarlyExchange } = await import("./early-exchange.ts");
    const early = new EarlyExchange(this.#loaded.compiled, this.#variables, exchange);
    return (await this.#run(inputs, this.#walk, early)).outputs;
  }

  /** Runs once, kernel by kernel, and times each. Those whose results were kept from a run before take no time. */
  async profile(inputs: readonly NdArray[]): Promise<KernelProfile[]> {
    const { pool } = this.#context;
    const { prelude, rest } = await this.#run(inputs, (args) => pool.profile(this.#loaded.id, args));
    const { steps, preludeSteps } = this.#loaded.compiled;
    const [early, late] = [steps.slice(0, preludeSteps), steps.slice(preludeSteps)].map(kernelsIn);
    const profile: KernelProfile[] = [];
    early.forEach(({ name, place }, i) => (profile[place] = { name, seconds: prelude?.[i] ?? 0 }));
    late.forEach(({ name, place }, i) => (profile[place] = { name, seconds: rest[i] }));
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

  readonly #walk: Walk<void> = (args) => this.#context.pool.run(this.#loaded.id, args);

  #run<T>(inputs: readonly NdArray[], walk: Walk<T>, early?: EarlyExchange): Promise<Results<T>> {
    return this.#context.residency.begin(this.#variables, () => this.#start(inputs, walk, early));
  }

  async #start<T>(inputs: readonly NdArray[], walk: Walk<T>, early?: EarlyExchange): Promise<Results<T>> {
    if (this.#disposed) throw new Error("run: the program was disposed of");
    const { graph, compiled } = this.#loaded;
    checkInputs(graph, inputs);
    const variables = this.#variables.map((variable) => this.#context.variables.placeOf(variable));
    return this.#context.queue.run(async () => {
      const { heap, memory, scratches } = this.#context;
      for (const arena of compiled.arenas) memory.gather(arena.map((place) => variables[place]));
      const addresses = this.#addresses(variables);
      this.#table.place(addresses, early?.told ?? NONE);
      const prelude = await this.#runPrelude(variables, walk);
      compiled.buffers.forEach(({ dtype, length, place }, i) => {
        if (place.kind === "workspace" && place.input !== undefined)
          viewOf(heap.memory, dtype, addresses[i], length).set(inputs[place.input].data);
      });
      for (const { variable } of graph.updates) variables[this.#variables.indexOf(variable)].writes++;
      const walkRest = (): Promise<T> => walk({ scratches: scratches.address, ...this.#table.rest });
      const rest = await (early ? early.during(walkRest, this.#table, memory, variables) : walkRest());
      const outputs = compiled.outputs.map((at, i) => {
        const { dtype, length } = compiled.buffers[at];
        return { shape: graph.outputs[i].shape, dtype, data: copyOf(heap.memory, dtype, addresses[at], length) };
      });
      return { outputs, prelude, rest };
    });
  }

  /** Unless what it computed before is still good. */
  async #runPrelude<T>(variables: readonly VariableBlock[], walk: Walk<T>): Promise<T | undefined> {
    if (this.#prelude.isGood(variables)) return undefined;
    const result = await walk({ scratches: this.#context.scratches.address, ...this.#table.prelude });
    this.#prelude.ran(variables);
    return result;
  }

  /** Where every buffer is now. */
  #addresses(variables: readonly VariableBlock[]): number[] {
    const workspace = this.#context.workspace.address;
    return this.#loaded.compiled.buffers.map(({ place }, i) => {
      switch (place.kind) {
        case "variable":
          return variables[place.variable].address;
        case "literal":
          return this.#literals.get(i) ?? 0;
        case "kept":
          return this.#kept + place.offset;
        case "workspace":
          return workspace + place.offset;
      }
    });
  }
}

const NONE: ReadonlySet<number> = new Set();

/** Has the threads walk through a part of the table. */
type Walk<T> = (args: Omit<RunArguments, "thread" | "threads">) => Promise<T>;

interface Results<T> {
  readonly outputs: NdArray[];
  /** What came of the walks; nothing of the prelude where there was none. */
  readonly prelude: T | undefined;
  readonly rest: T;
}

function kernelsIn(steps: CompiledProgram["steps"]): CompiledKernel[] {
  return steps.flatMap(({ kernels }) => kernels);
}
