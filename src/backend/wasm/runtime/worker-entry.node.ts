import { parentPort } from "node:worker_threads";
import type { Command } from "./thread-pool.ts";
import { WorkerProgram } from "./worker.ts";

const program = new WorkerProgram();

parentPort?.on("message", (command: Command) => {
  void program.answer(command).then((answer) => parentPort?.postMessage(answer));
});
