import type { MemoryPlan } from "../../compiler/memory.ts";
import type { Buffer, Program } from "../../compiler/program.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Executable } from "../backend.ts";
import { checkInputs } from "../checks.ts";
import type { Heap } from "./heap.ts";
import { ENTRY_WORDS } from "./module.ts";
import type { WasmModule } from "./module.ts";
import type { RunArguments, Team } from "./team.ts";
import type { VariableStore } from "./variable-store.ts";
import { copyOf, viewOf } from "./views.ts";

/** One kernel of a profiled run. */
export interface KernelProfile {
  readonly name: string;
  readonly seconds: number;
}

/** What programs of one backend share. */
export interface Site {
  readonly heap: Heap;
  readonly team: Team;
  readonly variables: VariableStore;
  /** Memory for intermediate results and for each thread's own use; one program runs at a time. */
  readonly workspace: SharedBlock;
  readonly scratches: SharedBlock;
  /** Runs a job when no program runs. */
  exclusively<T>(job: () => Promise<T>): Promise<T>;
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

export interface LoadedProgram {
  readonly graph: Graph;
  readonly program: Program;
  readonly plan: MemoryPlan;
  readonly module: WasmModule;
  /** What the team knows it by. */
  readonly id: number;
}

/** A program that is ready to run: its code is with the threads, its constants and its table of kernels in memory. */
export class WasmExecutable implements Executable {
  readonly program: Program;
  /** The module's WebAssembly text. */
  readonly text: string;
  readonly workspaceBytes: number;
  readonly #site: Site;
  readonly #loaded: LoadedProgram;
  readonly #literals = new Map<Buffer, number>();
  readonly #inputs: readonly (Buffer | undefined)[];
  readonly #table: number;
  readonly #tableWords: number;
  readonly #owned: [address: number, bytes: number][] = [];
  #disposed = false;

  constructor(site: Site, loaded: LoadedProgram) {
    const { program, module, plan, graph } = loaded;
    this.program = program;
    this.text = module.text;
    this.workspaceBytes = plan.bytes;
    this.#site = site;
    this.#loaded = loaded;
    const byIndex = new Map<number, Buffer>();
    for (const buffer of program.buffers) {
      const { source } = buffer;
      if (source.kind === "input" && plan.offsets.has(buffer)) byIndex.set(source.index, buffer);
      if (source.kind !== "literal") continue;
      const address = this.#own(4 * buffer.length);
      this.#literals.set(buffer, address);
      viewOf(site.heap.memory, buffer.dtype, address, buffer.length).set(source.data);
    }
    this.#inputs = graph.inputs.map((_, index) => byIndex.get(index));
    this.#tableWords = module.kernels.reduce((words, { buffers }) => words + ENTRY_WORDS + buffers.length, 0);
    this.#table = this.#own(4 * this.#tableWords);
  }

  async run(inputs: readonly NdArray[]): Promise<NdArray[]> {
    return (await this.#run(inputs, (args) => this.#site.team.run(this.#loaded.id, args))).outputs;
  }

  /** Runs once, kernel by kernel, and times each. */
  async profile(inputs: readonly NdArray[]): Promise<KernelProfile[]> {
    const { value } = await this.#run(inputs, (args) => this.#site.team.profile(this.#loaded.id, args));
    return this.#loaded.module.kernels.map(({ name }, i) => ({ name, seconds: value[i] }));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    void this.#site.exclusively(async () => {
      await this.#site.team.unload(this.#loaded.id);
      for (const [address, bytes] of this.#owned) this.#site.heap.free(address, bytes);
    });
  }

  #own(bytes: number): number {
    const address = this.#site.heap.allocate(bytes);
    this.#owned.push([address, bytes]);
    return address;
  }

  #run<T>(
    inputs: readonly NdArray[],
    start: (args: Omit<RunArguments, "thread" | "threads">) => Promise<T>,
  ): Promise<{ outputs: NdArray[]; value: T }> {
    return this.#site.exclusively(async () => {
      if (this.#disposed) throw new Error("run: the program was disposed of");
      const { graph, program, module } = this.#loaded;
      checkInputs(graph, inputs);
      const addressOf = await this.#addresses();
      const { memory } = this.#site.heap;
      this.#inputs.forEach((buffer, i) => {
        if (buffer) viewOf(memory, buffer.dtype, addressOf(buffer), buffer.length).set(inputs[i].data);
      });
      this.#writeTable(addressOf);
      const value = await start({
        scratches: this.#site.scratches.address,
        table: this.#table,
        kernels: module.kernels.length,
      });
      const outputs = program.outputs.map((buffer, i) => ({
        shape: graph.outputs[i].shape,
        dtype: buffer.dtype,
        data: copyOf(memory, buffer.dtype, addressOf(buffer), buffer.length),
      }));
      return { outputs, value };
    });
  }

  /** Where every buffer is now; variables that are elsewhere come back first. */
  async #addresses(): Promise<(buffer: Buffer) => number> {
    const { program, plan } = this.#loaded;
    const variables = new Map<Buffer, number>();
    for (const buffer of program.buffers) {
      if (buffer.source.kind === "variable")
        variables.set(buffer, await this.#site.variables.bring(buffer.source.variable));
    }
    const workspace = this.#site.workspace.address;
    return (buffer) => {
      const fixed = variables.get(buffer) ?? this.#literals.get(buffer);
      return fixed ?? workspace + (plan.offsets.get(buffer) ?? 0);
    };
  }

  #writeTable(addressOf: (buffer: Buffer) => number): void {
    const { kernels } = this.#loaded.module;
    const words = viewOf(this.#site.heap.memory, "u32", this.#table, this.#tableWords);
    let list = kernels.length * ENTRY_WORDS;
    kernels.forEach((kernel, i) => {
      words.set([kernel.function, kernel.tasks, kernel.waits ? 1 : 0, this.#table + 4 * list, 0], i * ENTRY_WORDS);
      for (const buffer of kernel.buffers) words[list++] = addressOf(buffer);
    });
  }
}
