import type { Graph } from "../../tensor/graph.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { Backend, ByteCache, ExchangeValues } from "../backend.ts";
import { checkGraph } from "../common/checks.ts";
import { checkSingles } from "../common/exchange.ts";
import { JobQueue } from "../common/job-queue.ts";
import { Lifetime } from "../common/lifetime.ts";
import { OutOfMemory } from "../common/out-of-memory.ts";
import { Residency } from "../common/residency.ts";
import { VariableStore } from "../common/variable-store.ts";
import { variablesOf } from "../../tensor/graph.ts";
import type { ModuleBuilder } from "./assembly/module-builder.ts";
import { checkAddressable } from "./program/address-space.ts";
import type { ChainLimits } from "./program/chains.ts";
import { compileProgram, keepsOf } from "./program/compiled-program.ts";
import type { CompiledProgram, CodegenOptions } from "./program/compiled-program.ts";
import { SharedBlock, WasmExecutable } from "./runtime/executable.ts";
import type { ExecutionContext } from "./runtime/executable.ts";
import { Heap } from "./runtime/heap.ts";
import type { Features } from "./program/module.ts";
import { decodeProgram, encodeProgram, programKey } from "./program/program-file.ts";
import { computesRightly, hasRelaxedSimd } from "./runtime/self-check.ts";
import { ThreadPool } from "./runtime/thread-pool.ts";
import type { PoolThread } from "./runtime/thread-pool.ts";
import { HeapVariables } from "./runtime/variable-memory.ts";
import type { VariableBlock } from "./runtime/variable-memory.ts";

export interface WasmOptions {
  /** Worker threads; all hardware threads unless given. */
  readonly threads?: number | undefined;
  /** Whether V8 may merge vector operations to 256 bits; where it can, unless given (or UNNOISE_SIMD=128). */
  readonly wide?: boolean;
  /** Whether 3x3 convolutions keep to F(2x2, 3x3) (precision `strict`); default false. */
  readonly strict?: boolean | undefined;
  /** Why this backend was taken rather than another. */
  readonly reason?: string | undefined;
  /** Where compiled programs are kept for the next process; nowhere unless given. */
  readonly cache?: ByteCache | undefined;
  /** Which kernels run slice by slice of a batch: for tests, the results are the same. */
  readonly chains?: ChainLimits | undefined;
}

/** What the backend needs of the platform that it runs on. */
export interface Platform {
  /** Whether workers can share memory; else there is one, in this thread. */
  readonly sharesMemory: boolean;
  hardwareThreads(): number;
  startWorker(): PoolThread;
  /** Has V8 merge pairs of 128-bit operations in what is compiled from now on, or not; false where it cannot. */
  setRevectorize(on: boolean): boolean;
  environment(name: string): string | undefined;
  /** What shows people the modules of programs, if they want to see them. */
  dumper(): ((module: ModuleBuilder) => void) | undefined;
}

/** Compiles graphs to WebAssembly with SIMD, run by threads on one memory. */
export class WasmBackend implements Backend {
  readonly name = "wasm";
  readonly precision = "f32";
  readonly description: string;
  readonly reason: string | undefined;
  readonly features: Features;
  readonly #context: ExecutionContext;
  readonly #codegen: CodegenOptions;
  readonly #cache: ByteCache | undefined;
  readonly #lifetime = new Lifetime("wasm");
  #loaded = 0;

  private constructor(heap: Heap, pool: ThreadPool, features: Features, platform: Platform, options: WasmOptions) {
    const queue = new JobQueue(this.#lifetime);
    const memory = new HeapVariables(heap, queue);
    const variables = new VariableStore<VariableBlock>(memory, this.#lifetime);
    this.#context = {
      heap,
      pool,
      queue,
      memory,
      variables,
      residency: new Residency(variables, this.#lifetime),
      workspace: new SharedBlock(heap),
      scratches: new SharedBlock(heap),
    };
    this.features = features;
    this.#codegen = {
      features,
      sharesMemory: heap.shared,
      strict: options.strict,
      chains: options.chains,
      dump: platform.dumper(),
    };
    this.#cache = options.cache;
    const threads = `${pool.size} thread${pool.size === 1 ? "" : "s"}`;
    this.description = `WebAssembly, ${threads}, ${features.wide ? 256 : 128}-bit SIMD`;
    this.reason = options.reason;
  }

  static async create(platform: Platform, options: WasmOptions = {}): Promise<WasmBackend> {
    const threads = threadsOf(platform, options);
    if (threads > 1 && !platform.sharesMemory) {
      throw new Error(`wasm: ${threads} threads need shared memory, which a page has if it is cross-origin isolated`);
    }
    const features = await chooseFeatures(platform, options);
    const heap = new Heap(platform.sharesMemory);
    const workers = Array.from({ length: threads }, () => platform.startWorker());
    const pool = ThreadPool.start(workers, heap.memory);
    return new WasmBackend(heap, pool, features, platform, options);
  }

  get isClosed(): boolean {
    return this.#lifetime.isEnding || this.#context.pool.hasFailed;
  }

  /** Bytes of memory that variables, programs and their workspace take. */
  get allocatedBytes(): number {
    return this.#context.heap.allocatedBytes;
  }

  async load(graph: Graph): Promise<WasmExecutable> {
    this.#lifetime.check();
    checkGraph(graph);
    const keeps = keepsOf(graph);
    const compiled = await this.#compile(graph, keeps);
    try {
      return await this.#install(graph, compiled, keeps);
    } catch (error) {
      if (!(error instanceof OutOfMemory) || compiled.keptBytes === 0) throw error;
      return this.#install(graph, await this.#compile(graph, false), false);
    }
  }

  async #install(graph: Graph, compiled: CompiledProgram, keeps: boolean): Promise<WasmExecutable> {
    checkAddressable(compiled.workspaceBytes);
    const code = await WebAssembly.compile(compiled.module);
    const { workspace, scratches, pool, queue, residency } = this.#context;
    const { strict = false } = this.#codegen;
    const install = async (): Promise<WasmExecutable> => {
      workspace.require(compiled.workspaceBytes);
      scratches.require(compiled.scratchBytes * pool.size);
      const id = this.#loaded++;
      await pool.load(id, code);
      return new WasmExecutable(this.#context, { graph, compiled, keeps, strict, id });
    };
    // Those that are to lie together come one after another.
    const variables = variablesOf(graph);
    const together = compiled.arenas.flat().map((place) => variables[place]);
    return residency.begin([...new Set([...together, ...variables])], () => queue.run(install));
  }

  async exchange(variables: readonly Variable[], change: ExchangeValues): Promise<void> {
    checkSingles(variables);
    const { residency, variables: store, memory, queue } = this.#context;
    return residency.begin(variables, () => {
      const places = variables.map((variable) => store.placeOf(variable));
      return queue.run(() => change(memory.valuesOf(places)));
    });
  }

  /**
   * Compiles, unless an earlier process did.
   *
   * @param keeps whether the program may have memory of its own for what depends on variables alone
   */
  async #compile(graph: Graph, keeps: boolean): Promise<CompiledProgram> {
    const codegen = { ...this.#codegen, keeps };
    if (!this.#cache || codegen.dump) return compileProgram(graph, codegen);
    const key = await programKey(graph, codegen);
    const known = await this.#cache.read(key);
    const kept = known && decodeProgram(known);
    if (kept) return kept;
    const compiled = compileProgram(graph, codegen);
    await this.#cache.write(key, encodeProgram(compiled));
    return compiled;
  }

  close(): Promise<void> {
    const { variables, queue, pool } = this.#context;
    return this.#lifetime.end(async () => {
      try {
        await variables.moveAllToHost();
      } finally {
        await queue.close();
        await pool.stop();
      }
    });
  }
}

async function chooseFeatures(platform: Platform, options: WasmOptions): Promise<Features> {
  const relaxed = hasRelaxedSimd();
  const wanted = options.wide ?? platform.environment("UNNOISE_SIMD") !== "128";
  if (wanted && platform.setRevectorize(true)) {
    const wide = { wide: true, relaxed };
    if (await computesRightly(wide)) return wide;
  }
  platform.setRevectorize(false);
  return { wide: false, relaxed };
}

function threadsOf(platform: Platform, options: WasmOptions): number {
  const setting = platform.environment("UNNOISE_THREADS");
  const threads = options.threads ?? Number(setting ?? platform.hardwareThreads());
  // Hundreds of threads on a few cores do nothing but wait for each other.
  const most = Math.max(256, platform.hardwareThreads());
  if (Number.isInteger(threads) && threads >= 1 && threads <= most) return threads;
  const [name, got] = options.threads === undefined ? ["UNNOISE_THREADS", setting] : ["threads", threads];
  throw new Error(`wasm: ${name} must be a whole number from 1 to ${most}, got ${got}`);
}
