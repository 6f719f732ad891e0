import { Caller } from "../../common/channel.ts";
import type { AssemblerFunctions } from "./assembler-entry.browser.ts";
import type { Assemble } from "./assembler.ts";
import type { TeamWorker } from "./team.ts";
import { THREAD } from "./thread.browser.ts";
import type { ThreadFunctions } from "./thread.browser.ts";
import { WorkerProgram } from "./worker.ts";

/** Only pages that are cross-origin isolated may share memory between workers. */
export const sharesMemory = crossOriginIsolated;

export function hardwareThreads(): number {
  return sharesMemory ? navigator.hardwareConcurrency : 1;
}

/**
 * A thread runs the script that this worker runs. Without shared memory the only thread is the one that the backend is
 * in, which is a worker as well.
 */
export function startWorker(): TeamWorker {
  if (!sharesMemory) {
    const program = new WorkerProgram();
    return { send: (command) => program.answer(command), stop: async () => {} };
  }
  const worker = new Worker(self.location.href, { type: "module", name: THREAD });
  const caller = new Caller<ThreadFunctions>(worker);
  return { send: (command) => caller.call("answer", command), stop: async () => worker.terminate() };
}

let assembler: Caller<AssemblerFunctions> | undefined;

/** Its worker brings wabt, which is larger than all the rest, and is started when it is first needed. */
export const assemble: Assemble = (text, features) => {
  assembler ??= new Caller(new Worker(new URL("./assembler-entry.browser.js", import.meta.url), { type: "module" }));
  return assembler.call("assemble", text, features);
};

/** V8 merges vector operations in browsers as its flags say, which no page can set. */
export function setRevectorize(): boolean {
  return false;
}

export function environment(): undefined {
  return undefined;
}
