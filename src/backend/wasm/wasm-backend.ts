import { compileGraph } from "../../compiler/compiler.ts";
import { planMemory } from "../../compiler/memory.ts";
import type { Buffer, Program } from "../../compiler/program.ts";
import type { TypedArray } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import type { Backend, Executable } from "../backend.ts";
import { checkGraph, checkInputs } from "../checks.ts";
import { assemble } from "./assembler.ts";
import { Heap } from "./heap.ts";
import { emitModule } from "./module.ts";
import type { Features, WasmModule } from "./module.ts";
import { computesRightly } from "./self-check.ts";
import { Team } from "./team.ts";
import type { TeamWorker } from "./team.ts";

export interface WasmOptions {
  /** Worker threads; all hardware threads unless given. */
  readonly threads?: number;
  /** Whether V8 may merge vector operations to 256 bits; where it can, unless given (or UNNOISE_SIMD=128). */
  readonly wide?: boolean;
}

/** What the backend needs of the platform that it runs on. */
export interface Platform {
  hardwareThreads(): number;
  startWorker(): TeamWorker;
  setRevectorize(on: boolean): boolean;
  environment(name: string): string | undefined;
}

/** A variable's place. Programs are bound to it, so it stays reserved for them while the value is elsewhere. */
interface Residence {
  readonly address: number;
  present: boolean;
  programs: number;
}

/** One kernel of a profiled run. */
export interface KernelProfile {
  readonly name: string;
  readonly seconds: number;
}

const RELAXED_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
]);

/** Compiles graphs to WebAssembly with SIMD, run by a team of threads on one shared memory. */
export class WasmBackend implements Backend, VariableStorage {
  readonly name = "wasm";
  readonly description: string;
  readonly features: Features;
  readonly #heap: Heap;
  readonly #team: Team;
  readonly #dump: string | undefined;
  readonly #variables = new Map<Variable, Residence>();
  #workspace = { address: 0, bytes: 0 };
  #scratch = { address: 0, bytes: 0 };
  #loaded = 0;
  #closed = false;
  /** The last job; jobs run one after another. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(heap: Heap, team: Team, features: Features, dump: string | undefined) {
    this.#heap = heap;
    this.#team = team;
    this.features = features;
    this.#dump = dump;
    this.description = `WebAssembly, ${team.size} thread${team.size === 1 ? "" : "s"}, ${features.wide ? 256 : 128}-bit SIMD`;
  }

  static async create(platform: Platform, options: WasmOptions = {}): Promise<WasmBackend> {
    const features = await chooseFeatures(platform, options);
    const threads = options.threads ?? Number(platform.environment("UNNOISE_THREADS") ?? platform.hardwareThreads());
    if (!Number.isInteger(threads) || threads < 1)
      throw new Error(`wasm: threads must be a whole number of 1 or more, got ${threads}`);
    const heap = new Heap();
    const team = await Team.start(
      Array.from({ length: threads }, () => platform.startWorker()),
      heap.memory,
    );
    return new WasmBackend(heap, team, features, platform.environment("UNNOISE_DUMP"));
  }

  async load(graph: Graph): Promise<WasmExecutable> {
    checkGraph(graph);
    const program = compileGraph(graph);
    return this.#enqueue(() => this.#load(graph, program));
  }

  async #load(graph: Graph, program: Program): Promise<WasmExecutable> {
    const plan = planMemory(program);
    const fixed = new Map<Buffer, number>();
    const variables: Variable[] = [];
    const owned: [number, number][] = [];
    const own = (bytes: number): number => {
      const address = this.#heap.allocate(bytes);
      owned.push([address, bytes]);
      return address;
    };
    for (const buffer of program.buffers) {
      if (buffer.source.kind === "variable") {
        const residence = await this.#bring(buffer.source.variable);
        residence.programs++;
        variables.push(buffer.source.variable);
        fixed.set(buffer, residence.address);
      }
      if (buffer.source.kind === "literal") {
        fixed.set(buffer, own(4 * buffer.length));
        this.#view(buffer.dtype, fixed.get(buffer) ?? 0, buffer.length).set(buffer.source.data);
      }
    }
    const counters = own(4 * program.kernels.length);
    const addressOf = (buffer: Buffer): { workspace: boolean; bytes: number } => {
      const address = fixed.get(buffer);
      return address === undefined
        ? { workspace: true, bytes: plan.offsets.get(buffer) ?? 0 }
        : { workspace: false, bytes: address };
    };
    const emitted = emitModule(program, this.features, { addressOf, counters });
    if (this.#dump) console.error(emitted.text);
    const module = await WebAssembly.compile(await assemble(emitted.text, this.features));
    this.#workspace = this.#ensure(this.#workspace, plan.bytes);
    this.#scratch = this.#ensure(this.#scratch, emitted.scratchBytes * this.#team.size);
    const id = this.#loaded++;
    await this.#team.load(id, module);

    const absolute = (buffer: Buffer): number => {
      const { workspace, bytes } = addressOf(buffer);
      return workspace ? this.#workspace.address + bytes : bytes;
    };
    const inputs = graph.inputs.map((tensor, index) => ({
      shape: tensor.shape,
      dtype: tensor.dtype,
      buffer: program.buffers.find(({ source }) => source.kind === "input" && source.index === index),
    }));
    let disposed = false;
    const outputs = program.outputs.map((buffer, i) => ({ buffer, shape: graph.outputs[i].shape }));
    const job =
      <T>(start: () => Promise<T>) =>
      (values: readonly NdArray[]): Promise<{ results: NdArray[]; value: T }> =>
        this.#enqueue(async () => {
          if (disposed) throw new Error("run: the program was disposed of");
          checkInputs(graph, values);
          for (const variable of variables) await this.#bring(variable);
          inputs.forEach((input, i) => {
            if (input.buffer && plan.offsets.has(input.buffer))
              this.#view(input.dtype, absolute(input.buffer), input.buffer.length).set(values[i].data);
          });
          this.#view("i32", counters, program.kernels.length).fill(0);
          const value = await start();
          const results = outputs.map(({ buffer, shape }) => ({
            shape,
            dtype: buffer.dtype,
            data: this.#view(buffer.dtype, absolute(buffer), buffer.length).slice(),
          }));
          return { results: results as NdArray[], value };
        });
    const args = (): { workspace: number; scratches: number; kernels: number } => ({
      workspace: this.#workspace.address,
      scratches: this.#scratch.address,
      kernels: program.kernels.length,
    });
    return new WasmExecutable(program, emitted, plan.bytes, {
      run: job(() => this.#team.run(id, args())),
      profile: job(() => this.#team.profile(id, args())),
      dispose: () => {
        if (disposed) return;
        disposed = true;
        void this.#enqueue(async () => {
          await this.#team.unload(id);
          for (const [address, bytes] of owned) this.#heap.free(address, bytes);
          for (const variable of variables) this.#release(variable);
        });
      },
    });
  }

  async read(variable: Variable): Promise<TypedArray> {
    return this.#enqueue(
      async () => this.#view(variable.dtype, this.#addressOf(variable), variable.size).slice() as TypedArray,
    );
  }

  async write(variable: Variable, data: TypedArray): Promise<void> {
    await this.#enqueue(async () => this.#view(variable.dtype, this.#addressOf(variable), variable.size).set(data));
  }

  free(variable: Variable): void {
    const residence = this.#variables.get(variable);
    if (!residence) return;
    residence.present = false;
    this.#freeUnused(variable, residence);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    for (const [variable, { present }] of this.#variables) if (present) await variable.moveToHost();
    await this.#enqueue(() => this.#team.stop());
    this.#closed = true;
  }

  #addressOf(variable: Variable): number {
    const residence = this.#variables.get(variable);
    if (!residence) throw new Error(`internal: variable ${variable.name} is not on this device`);
    return residence.address;
  }

  /** Makes sure that a variable's value is here. */
  async #bring(variable: Variable): Promise<Residence> {
    const known = this.#variables.get(variable);
    if (known?.present) return known;
    const data = await variable.moveTo(this);
    const residence = known ?? { address: this.#heap.allocate(4 * variable.size), present: true, programs: 0 };
    residence.present = true;
    this.#variables.set(variable, residence);
    if (data) this.#view(variable.dtype, residence.address, variable.size).set(data);
    return residence;
  }

  #release(variable: Variable): void {
    const residence = this.#variables.get(variable);
    if (!residence) return;
    residence.programs--;
    this.#freeUnused(variable, residence);
  }

  #freeUnused(variable: Variable, residence: Residence): void {
    if (residence.present || residence.programs > 0) return;
    this.#heap.free(residence.address, 4 * variable.size);
    this.#variables.delete(variable);
  }

  /** Views do not outlive a growth of the memory, so each is made for one use. */
  #view(dtype: DType, address: number, length: number): Float32Array | Int32Array | Uint32Array {
    const { buffer } = this.#heap.memory;
    if (dtype === "f32") return new Float32Array(buffer, address, length);
    return dtype === "u32" ? new Uint32Array(buffer, address, length) : new Int32Array(buffer, address, length);
  }

  #ensure(block: { address: number; bytes: number }, bytes: number): { address: number; bytes: number } {
    if (bytes <= block.bytes) return block;
    if (block.bytes > 0) this.#heap.free(block.address, block.bytes);
    return { address: this.#heap.allocate(bytes), bytes };
  }

  #enqueue<T>(job: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("wasm: the backend is closed"));
    const result = this.#last.then(job);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

interface Jobs {
  run(inputs: readonly NdArray[]): Promise<{ results: NdArray[] }>;
  profile(inputs: readonly NdArray[]): Promise<{ results: NdArray[]; value: readonly number[] }>;
  dispose(): void;
}

export class WasmExecutable implements Executable {
  readonly program: Program;
  readonly text: string;
  readonly workspaceBytes: number;
  readonly #module: WasmModule;
  readonly #jobs: Jobs;

  constructor(program: Program, module: WasmModule, workspaceBytes: number, jobs: Jobs) {
    this.program = program;
    this.text = module.text;
    this.workspaceBytes = workspaceBytes;
    this.#module = module;
    this.#jobs = jobs;
  }

  async run(inputs: readonly NdArray[]): Promise<NdArray[]> {
    return (await this.#jobs.run(inputs)).results;
  }

  /** Runs once, kernel by kernel, and times each. */
  async profile(inputs: readonly NdArray[]): Promise<KernelProfile[]> {
    const { value } = await this.#jobs.profile(inputs);
    return this.#module.kernels.map(({ name }, i) => ({ name, seconds: value[i] }));
  }

  dispose(): void {
    this.#jobs.dispose();
  }
}

async function chooseFeatures(platform: Platform, options: WasmOptions): Promise<Features> {
  const relaxed = WebAssembly.validate(RELAXED_MODULE);
  const wanted = options.wide ?? platform.environment("UNNOISE_SIMD") !== "128";
  if (!wanted || !platform.setRevectorize(true)) {
    platform.setRevectorize(false);
    return { wide: false, relaxed };
  }
  const wide = { wide: true, relaxed };
  if (await computesRightly(wide)) return wide;
  platform.setRevectorize(false);
  return { wide: false, relaxed };
}
