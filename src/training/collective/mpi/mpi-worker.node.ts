import { parentPort, workerData } from "node:worker_threads";
import { loadMpi } from "./mpi-library.node.ts";
import type { MpiLibrary } from "./mpi-library.node.ts";

/** What the thread is asked for, one thing at a time. The memory is shared. */
export type MpiCommand =
  | { readonly kind: "start" }
  | { readonly kind: "allReduce" | "allReduceAside"; readonly values: Float32Array | Float64Array }
  | { readonly kind: "broadcast"; readonly values: Uint8Array }
  | { readonly kind: "meet" }
  | { readonly kind: "finish" };

export interface MpiAnswer {
  readonly value?: unknown;
  readonly error?: string;
}

/** Each blocks this thread until the other processes have come: the main thread never waits. */
const commands: {
  readonly [Kind in MpiCommand["kind"]]: (mpi: MpiLibrary, command: Extract<MpiCommand, { kind: Kind }>) => unknown;
} = {
  start: (mpi) => mpi.start(),
  allReduce: (mpi, { values }) => mpi.allReduce(values),
  allReduceAside: (mpi, { values }) => mpi.allReduceAside(values),
  broadcast: (mpi, { values }) => mpi.broadcast(values),
  meet: (mpi) => mpi.meet(),
  finish: (mpi) => mpi.finish(),
};

const loaded = loadMpi([workerData as string]);
// Whoever asks is told.
loaded.catch(() => {});

parentPort?.on("message", (command: MpiCommand) => {
  const answer = (answer: MpiAnswer): void => parentPort?.postMessage(answer);
  void loaded
    .then(({ mpi }) => (commands[command.kind] as (mpi: MpiLibrary, command: MpiCommand) => unknown)(mpi, command))
    .then(
      (value) => answer({ value }),
      (error: unknown) => answer({ error: error instanceof Error ? error.message : String(error) }),
    );
});
