import { Caller } from "../../common/channel.ts";
import type { PoolThread } from "./thread-pool.ts";
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
export function startWorker(): PoolThread {
  if (!sharesMemory) {
    const program = new WorkerProgram();
    return { send: (command) => program.answer(command), stop: async () => {} };
  }
  const worker = new Worker(self.location.href, { type: "module", name: THREAD });
  const caller = new Caller<ThreadFunctions>(worker);
  return { send: (command) => caller.call("answer", command), stop: async () => worker.terminate() };
}

/** V8 merges vector operations in browsers as its flags say, which no page can set. */
export function setRevectorize(): boolean {
  return false;
}

export function environment(): undefined {
  return undefined;
}

export function dumper(): undefined {
  return undefined;
}
