import { writeSync } from "node:fs";
import { hostname } from "node:os";
import { Worker } from "node:worker_threads";
import { checkOptions } from "../../../config/rules.ts";
import type { Collective } from "../collective.ts";
import { launcherOf } from "./launcher.ts";
import type { Launcher } from "./launcher.ts";
import { libraryCandidates } from "./library.node.ts";
import { loadMpi } from "./mpi-library.node.ts";
import type { ExitNow, MpiLibrary } from "./mpi-library.node.ts";
import type { MpiAnswer, MpiCommand } from "./mpi-worker.node.ts";

/** With which a process ends that has heard nothing of the others for too long. */
const EXIT_SILENCE = 4;
/** With which all end where one has ended as if all were well, but before the others. */
const EXIT_EARLY = 1;
/** Milliseconds in which MPI ends the processes, or this one ends by itself. */
const ABORT_MS = 2000;

export interface MpiOptions {
  /** Path of the MPI library; found unless given, by `UNNOISE_MPI` or beside the `mpirun` that started the process. */
  readonly library?: string | undefined;
  /** After so many seconds in which the others have not come, all end; 600 by default, 0 waits for ever. */
  readonly watchdogSeconds?: number | undefined;
}

/** The processes that `mpirun` or `srun` has started, by MPI. It is called in a thread of its own. */
export class MpiCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  /** Name and version of the MPI library, and its path. */
  readonly description: string;
  readonly host = hostname();
  readonly #thread: MpiThread;
  readonly #mpi: MpiLibrary;
  readonly #exitNow: ExitNow;
  readonly #watchdogSeconds: number;
  #isClosed = false;
  /** Node would say it after the event of the exit, which ends the process. */
  readonly #onUncaught = (error: unknown): void => {
    if (process.listenerCount("uncaughtException") > 0) return;
    this.#say(error instanceof Error ? error.message : String(error));
  };
  readonly #onExit = (code: number): void => this.abort(code === 0 ? EXIT_EARLY : code);

  private constructor(
    thread: MpiThread,
    loaded: Awaited<ReturnType<typeof loadMpi>>,
    started: Started,
    seconds: number,
  ) {
    this.#thread = thread;
    this.#mpi = loaded.mpi;
    this.#exitNow = loaded.exitNow;
    this.#watchdogSeconds = seconds;
    this.rank = started.rank;
    this.size = started.size;
    this.description = `${started.version}, ${loaded.path}`;
    process.on("exit", this.#onExit);
    process.on("uncaughtExceptionMonitor", this.#onUncaught);
  }

  /**
   * Joins the other processes. Each must {@link close} in the end: one that ends before, by an error or otherwise, ends
   * all.
   *
   * @throws Error of one line if there is no MPI library, or it is not that of the launcher
   */
  static async open(options: MpiOptions = {}): Promise<MpiCollective> {
    checkOptions("MpiCollective", options, { library: "string", watchdogSeconds: "number" });
    const { library, watchdogSeconds = 600 } = options;
    if (!(watchdogSeconds >= 0 && watchdogSeconds < 2 ** 21)) {
      throw new Error(`MpiCollective: watchdogSeconds must be from 0 to 2097151, got ${watchdogSeconds}`);
    }
    const launcher = launcherOf(process.env);
    // Here only to end all, whatever the thread does.
    const loaded = await loadMpi(library === undefined ? libraryCandidates(launcher) : [library]);
    const thread = new MpiThread(loaded.path);
    const silence = `MPI: the other processes have not come for ${watchdogSeconds} s`;
    const started = (await watched(thread.call({ kind: "start" }), watchdogSeconds, () => {
      writeSync(process.stderr.fd, `unnoise: on ${hostname()}: ${silence}\n`);
      loaded.exitNow(EXIT_SILENCE);
    })) as Started;
    const collective = new MpiCollective(thread, loaded, started, watchdogSeconds);
    if (launcher === undefined || launcher.size === started.size) return collective;
    await collective.close();
    throw new Error(strangers(launcher, started, collective.description));
  }

  async allReduce(values: Float32Array | Float64Array, isAside = false): Promise<void> {
    const shared = sharedCopyOf(values);
    await this.#limited({ kind: isAside ? "allReduceAside" : "allReduce", values: shared });
    if (shared !== values) values.set(shared);
  }

  async broadcast(values: ArrayBufferView): Promise<void> {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const shared = sharedCopyOf(bytes);
    await this.#limited({ kind: "broadcast", values: shared });
    if (shared !== bytes) bytes.set(shared);
  }

  /** Waits until all have come, however long it takes: rank 0 may have something to do alone. */
  async meet(): Promise<void> {
    await this.#thread.call({ kind: "meet" });
  }

  abort(code: number): void {
    this.#part();
    this.#mpi.abort(code);
    // Usually MPI ends the process here.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ABORT_MS);
    this.#exitNow(code);
  }

  /** Waits until all have come, and leaves them: this process may end, or go on alone. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.#limited({ kind: "finish" });
    this.#part();
    await this.#thread.stop();
  }

  /** Has the thread do something that must not take longer than the watchdog waits. */
  async #limited(command: MpiCommand): Promise<void> {
    if (this.#isClosed) throw new Error("MPI: the processes have parted already");
    await watched(this.#thread.call(command), this.#watchdogSeconds, () => this.#giveUp());
  }

  #part(): void {
    this.#isClosed = true;
    process.off("exit", this.#onExit);
    process.off("uncaughtExceptionMonitor", this.#onUncaught);
  }

  /** Writes at once, as the process may not live on. */
  #say(what: string): void {
    writeSync(process.stderr.fd, `unnoise: rank ${this.rank} on ${this.host}: ${what}\n`);
  }

  #giveUp(): void {
    this.#say(`another process has not come for ${this.#watchdogSeconds} s; all end`);
    this.abort(EXIT_SILENCE);
  }
}

/** Calls `onSilence` if a promise takes longer than so many seconds; never with 0. */
async function watched<T>(promise: Promise<T>, seconds: number, onSilence: () => void): Promise<T> {
  const timer = seconds === 0 ? undefined : setTimeout(onSilence, 1000 * seconds);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

interface Started {
  readonly rank: number;
  readonly size: number;
  readonly version: string;
}

/** The thread that calls MPI. */
class MpiThread {
  readonly #worker: Worker;
  /** Each command is answered before the next one is begun. */
  readonly #waiting: { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }[] = [];

  constructor(path: string) {
    const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
    this.#worker = new Worker(new URL(`./mpi-worker.node${ending}`, import.meta.url), { workerData: path });
    this.#worker.unref();
    this.#worker.on("message", ({ value, error }: MpiAnswer) => {
      const asked = this.#waiting.shift();
      if (this.#waiting.length === 0) this.#worker.unref();
      if (error === undefined) asked?.resolve(value);
      else asked?.reject(new Error(error));
    });
    this.#worker.on("error", (error: Error) => this.#waiting.splice(0).forEach(({ reject }) => reject(error)));
  }

  call(command: MpiCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.ref();
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(command);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** The values themselves, where threads share their memory already. */
function sharedCopyOf<Values extends Float32Array | Float64Array | Uint8Array>(values: Values): Values {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const copy = new Uint8Array(new SharedArrayBuffer(values.byteLength));
  copy.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const Kind = values.constructor as new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Values;
  return new Kind(copy.buffer, 0, values.length);
}

function strangers({ name, size }: Launcher, started: Started, description: string): string {
  return `MPI: ${name} has started ${size} processes, but by ${description} there are ${started.size}: set UNNOISE_MPI to the library that belongs to the launcher`;
}
