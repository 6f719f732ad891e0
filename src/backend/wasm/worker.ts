import { ABORT_ADDRESS, ENTRY_WORDS } from "./module.ts";
import type { Answer, Command, RunArguments } from "./team.ts";

type Run = (thread: number, threads: number, scratches: number, entry: number, end: number) => void;

/** What a worker does with commands, whatever brings them. */
export class WorkerProgram {
  #memory: WebAssembly.Memory | undefined;
  readonly #arrivals = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
  readonly #programs = new Map<number, Run>();

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
          unnoise: { memory: this.#memory, pow: Math.pow, arrivals: this.#arrivals },
        } as unknown as WebAssembly.Imports;
        const instance = await WebAssembly.instantiate(command.module, imports);
        this.#programs.set(command.program, instance.exports["run"] as unknown as Run);
        return {};
      }
      case "unload":
        this.#programs.delete(command.program);
        return {};
      case "run":
        runKernels(this.#run(command.program), command.args, 0, command.args.kernels);
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
    const seconds: number[] = [];
    let before = performance.now();
    for (let kernel = 0; kernel < args.kernels; kernel++) {
      runKernels(run, args, kernel, kernel + 1);
      const now = performance.now();
      seconds.push((now - before) / 1000);
      before = now;
    }
    return seconds;
  }
}

function runKernels(run: Run, { thread, threads, scratches, table }: RunArguments, from: number, to: number): void {
  run(thread, threads, scratches, table + 4 * ENTRY_WORDS * from, table + 4 * ENTRY_WORDS * to);
}
