import { readEntries } from "../program/kernel-table.ts";
import { ABORT_ADDRESS } from "../program/address-space.ts";
import type { Answer, Command, RunArguments } from "./thread-pool.ts";

type Run = (thread: number, threads: number, scratches: number, step: number, end: number, timed: number) => void;

/** What a worker does with commands, whatever brings them. */
export class WorkerProgram {
  #memory: WebAssembly.Memory | undefined;
  readonly #arrivals = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  readonly #programs = new Map<number, Run>();
  /** Is told of kernels of a slice as they end, by their places in the table. */
  #tick: (kernel: number) => void = () => undefined;

  async answer(command: Command): Promise<Answer> {
    try {
      return await this.#do(command);
    } catch (error) {
      if (this.#memory) Atomics.store(new Int32Array(this.#memory.buffer), ABORT_ADDRESS / 4, 1);
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  async #do(command: Command): Promise<Answer> {
    switch (command.kind) {
      case "memory":
        this.#memory = command.memory;
        return {};
      case "load": {
        const imports = {
          unnoise: {
            memory: this.#memory,
            pow: Math.pow,
            tick: (kernel: number) => this.#tick(kernel),
            arrivals: this.#arrivals,
          },
        } as unknown as WebAssembly.Imports;
        const instance = await WebAssembly.instantiate(command.module, imports);
        this.#programs.set(command.program, instance.exports["run"] as unknown as Run);
        return {};
      }
      case "unload":
        this.#programs.delete(command.program);
        return {};
      case "run":
        runSteps(this.#run(command.program), command.args, command.args.table, command.args.tableEnd, false);
        return {};
      case "profile":
        return { seconds: this.#profile(command.program, command.args) };
    }
  }

  #run(program: number): Run {
    const run = this.#programs.get(program);
    if (!run) throw new Error(`internal: program ${program} is not loaded`);
    return run;
  }

  #profile(program: number, args: RunArguments): number[] {
    const run = this.#run(program);
    const seconds = new Map<number, number>();
    let before = performance.now();
    this.#tick = (kernel) => {
      const now = performance.now();
      seconds.set(kernel, (seconds.get(kernel) ?? 0) + (now - before) / 1000);
      before = now;
    };
    const entries = this.#memory ? readEntries(new Uint32Array(this.#memory.buffer), args) : [];
    for (const { start, end, isChain, kernels } of entries) {
      runSteps(run, args, start, end, true);
      if (isChain) before = performance.now();
      else this.#tick(kernels[0]);
    }
    return entries.flatMap(({ kernels }) => kernels.map((kernel) => seconds.get(kernel) ?? 0));
  }
}

function runSteps(
  run: Run,
  { thread, threads, scratches }: RunArguments,
  from: number,
  to: number,
  timed: boolean,
): void {
  run(thread, threads, scratches, from, to, timed ? 1 : 0);
}
