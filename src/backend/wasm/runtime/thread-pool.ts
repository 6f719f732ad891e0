import type { TableSpan } from "../program/kernel-table.ts";
import { ABORT_ADDRESS } from "../program/address-space.ts";

/** Sent to a worker; each is answered once. */
export type Command =
  | { readonly kind: "memory"; readonly memory: WebAssembly.Memory }
  | { readonly kind: "load"; readonly program: number; readonly module: WebAssembly.Module }
  | { readonly kind: "run"; readonly program: number; readonly args: RunArguments }
  | { readonly kind: "profile"; readonly program: number; readonly args: RunArguments }
  | { readonly kind: "unload"; readonly program: number };

export interface RunArguments extends TableSpan {
  readonly thread: number;
  readonly threads: number;
  readonly scratches: number;
}

export type Answer = { readonly error?: string; readonly seconds?: readonly number[] };

/** A thread that answers commands in order. */
export interface PoolThread {
  send(command: Command): Promise<Answer>;
  stop(): Promise<void>;
}

/** Threads that run programs together. */
export class ThreadPool {
  readonly #workers: readonly PoolThread[];
  readonly #memory: WebAssembly.Memory;
  #hasFailed = false;

  private constructor(workers: readonly PoolThread[], memory: WebAssembly.Memory) {
    this.#workers = workers;
    this.#memory = memory;
  }

  /** Does not wait for the workers, which answer in order: without memory, what they are asked next fails. */
  static start(workers: readonly PoolThread[], memory: WebAssembly.Memory): ThreadPool {
    const pool = new ThreadPool(workers, memory);
    pool.#all(() => ({ kind: "memory", memory })).catch(() => undefined);
    return pool;
  }

  get size(): number {
    return this.#workers.length;
  }

  /** Whether a worker ended by itself. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  async load(program: number, module: WebAssembly.Module): Promise<void> {
    await this.#all(() => ({ kind: "load", program, module }));
  }

  async unload(program: number): Promise<void> {
    await this.#all(() => ({ kind: "unload", program }));
  }

  async run(program: number, args: Omit<RunArguments, "thread" | "threads">): Promise<void> {
    await this.#all((thread) => ({ kind: "run", program, args: { ...args, thread, threads: this.size } }));
  }

  /** Runs step by step; resolves with the seconds that each kernel took, on average over the threads. */
  async profile(program: number, args: Omit<RunArguments, "thread" | "threads">): Promise<readonly number[]> {
    const answers = await this.#all((thread) => ({
      kind: "profile",
      program,
      args: { ...args, thread, threads: this.size },
    }));
    const seconds = answers.map((answer) => answer.seconds ?? []);
    return seconds[0].map((_, i) => seconds.reduce((sum, own) => sum + own[i], 0) / this.size);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  async #all(command: (thread: number) => Command): Promise<Answer[]> {
    const sent = this.#workers.map((worker, thread) => worker.send(command(thread)));
    const answers = await Promise.all(sent).catch((error: unknown) => {
      // What a worker cannot do it says in its answer: this one gave none.
      this.#hasFailed = true;
      throw error;
    });
    const failed = answers.filter((answer) => answer.error !== undefined);
    if (failed.length > 0) {
      new Int32Array(this.#memory.buffer)[ABORT_ADDRESS / 4] = 0;
      // A thread that fails makes the others fail in their barriers: the first cause is what counts.
      const cause = failed.find((answer) => !answer.error?.includes("unreachable")) ?? failed[0];
      throw new Error(`internal: wasm: ${cause.error}`);
    }
    return answers;
  }
}
