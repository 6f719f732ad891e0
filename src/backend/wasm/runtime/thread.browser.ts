import { serve } from "../../common/channel.ts";
import type { WorkerScope } from "../../common/channel.ts";
import type { Answer, Command } from "./thread-pool.ts";
import { WorkerProgram } from "./worker.ts";

export interface ThreadFunctions {
  readonly answer: (command: Command) => Promise<Answer>;
}

/** The name of a worker that is a thread of another one. */
export const THREAD = "unnoise-thread";

/** Runs programs for the worker that started this one. */
export function serveThread(scope: WorkerScope): void {
  const program = new WorkerProgram();
  serve<ThreadFunctions>(scope, { answer: (command) => program.answer(command) });
}
