import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import type { ModuleBuilder } from "../assembly/module-builder.ts";
import { printModule } from "../assembly/print-module.ts";
import type { Answer, Command, PoolThread } from "./thread-pool.ts";

export const sharesMemory = true;

export function hardwareThreads(): number {
  return availableParallelism();
}

/** The file runs as it stands in the sources and as JavaScript once built. */
function workerFile(): URL {
  return new URL(`./worker-entry.node${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
}

export function startWorker(): PoolThread {
  const worker = new Worker(workerFile());
  worker.unref();
  const waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = [];
  let failure: Error | undefined;
  let isStopping = false;
  const settle = (use: (next: (typeof waiting)[number]) => void): void => {
    const next = waiting.shift();
    // Whoever waits for its end needs the process to wait too.
    if (waiting.length === 0 && !isStopping) worker.unref();
    if (next) use(next);
  };
  worker.on("message", (answer: Answer) => settle((next) => next.resolve(answer)));
  const fail = (error: Error): void => {
    failure = error;
    while (waiting.length > 0) settle((next) => next.reject(error));
  };
  worker.on("error", fail);
  worker.on("exit", (code) => fail(new Error(`wasm: a worker thread ended (code ${code})`)));
  return {
    send: (command: Command) =>
      new Promise((resolve, reject) => {
        if (failure) {
          reject(failure);
          return;
        }
        worker.ref();
        waiting.push({ resolve, reject });
        worker.postMessage(command);
      }),
    stop: async () => {
      isStopping = true;
      await worker.terminate();
    },
  };
}

/** From this version on V8 merges pairs of vector operations well (measured; 22 has the flag without the gain). */
const FIRST_MERGING_NODE = 24;
const FLAG = "experimental-wasm-revectorize";

/** Turns 256-bit merging on or off for what is compiled from now on; false where the engine cannot. */
export function setRevectorize(on: boolean): boolean {
  const major = Number(process.versions.node.split(".")[0]);
  if (process.arch !== "x64" || major < FIRST_MERGING_NODE) return false;
  setFlagsFromString(`--${on ? "" : "no-"}${FLAG}`);
  return true;
}

export function environment(name: string): string | undefined {
  return process.env[name];
}

export function dumper(): ((module: ModuleBuilder) => void) | undefined {
  return environment("UNNOISE_DUMP") === undefined ? undefined : (module) => console.error(printModule(module));
}
