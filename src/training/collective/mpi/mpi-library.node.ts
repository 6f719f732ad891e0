import { abiOf } from "./abi.ts";
import type { Abi } from "./abi.ts";

/** Numbers of one call: MPI counts in 32 bits. */
const MOST = 2 ** 30;
const NAME_BYTES = 8192;
/** Milliseconds between two looks whether all have come. MPI's own waiting keeps a processor busy. */
const NAP_MS = 5;
/** The same, of a sum that is computed beside other work. */
const SHORT_NAP_MS = 0.2;

type Numbers = Float32Array | Float64Array;
type Native = (...args: readonly unknown[]) => unknown;

/** The functions of an MPI library that are used here. All but `abort` are for the one thread that called `start`. */
export interface MpiLibrary {
  /** @returns this process's place among all, and the library's own name and version */
  start(): { readonly rank: number; readonly size: number; readonly version: string };
  allReduce(values: Numbers): void;
  /** The same, but it leaves the processor to others while data are on their way. */
  allReduceAside(values: Numbers): void;
  broadcast(bytes: Uint8Array): void;
  /** Waits for all, and sleeps meanwhile: they may be long in coming. */
  meet(): void;
  finish(): void;
  /** Ends all processes, from whatever thread; usually it does not return. */
  abort(code: number): void;
}

/** Ends this process at once, also beside a thread that is blocked for ever. */
export type ExitNow = (code: number) => void;

/**
 * Loads the first of some MPI libraries that can be loaded.
 *
 * @throws Error of one line
 */
export async function loadMpi(
  candidates: readonly string[],
): Promise<{ readonly mpi: MpiLibrary; readonly path: string; readonly exitNow: ExitNow }> {
  const { default: koffi } = await import("koffi").catch(() => {
    throw new Error("MPI: needs the package koffi, which is not installed: npm install koffi");
  });
  const system = koffi.load(null);
  const exit = system.func("void _exit(int)") as Native;
  const exitNow: ExitNow = (code) => void exit(code);
  const pin = system.func("void *dlopen(const char *, int)") as Native;
  const faults: string[] = [];
  for (const path of candidates) {
    let library;
    try {
      library = koffi.load(path, { global: true });
    } catch (error) {
      faults.push(`${path} (${error instanceof Error ? error.message.replace(/^.*: /, "") : String(error)})`);
      continue;
    }
    // It starts threads that must not lose their code when this one's modules are unloaded.
    pin(path, stayFlags());
    const addressOf = (name: string): bigint | undefined => {
      try {
        return koffi.address(library.symbol(name));
      } catch {
        return undefined;
      }
    };
    const functionOf = (definition: string) => library.func(definition) as Native & { readonly async: Native };
    return { mpi: bind(functionOf, abiOf(path, addressOf)), path, exitNow };
  }
  const tried = faults.length === 0 ? "" : `, tried ${faults.join(", ")}`;
  throw new Error(`MPI: no library to be found${tried}: set UNNOISE_MPI to the path of the one that belongs to mpirun`);
}

/** RTLD_LAZY, RTLD_GLOBAL and RTLD_NODELETE, of dlfcn.h. */
function stayFlags(): number {
  return process.platform === "darwin" ? 0x1 | 0x8 | 0x80 : 0x1 | 0x100 | 0x1000;
}

function bind(functionOf: (definition: string) => Native & { readonly async: Native }, abi: Abi): MpiLibrary {
  // Handles are an int in some libraries and a pointer in others: both are passed in the same register.
  const init = functionOf("int MPI_Init_thread(void *, void *, int, int *)");
  const rankOf = functionOf("int MPI_Comm_rank(intptr_t, int *)");
  const sizeOf = functionOf("int MPI_Comm_size(intptr_t, int *)");
  const versionOf = functionOf("int MPI_Get_library_version(char *, int *)");
  const allReduce = functionOf("int MPI_Allreduce(intptr_t, void *, int, intptr_t, intptr_t, intptr_t)");
  const broadcast = functionOf("int MPI_Bcast(void *, int, intptr_t, int, intptr_t)");
  // A request is an int or a pointer, too.
  const beginAllReduce = functionOf("int MPI_Iallreduce(intptr_t, void *, int, intptr_t, intptr_t, intptr_t, void *)");
  const barrier = functionOf("int MPI_Ibarrier(intptr_t, void *)");
  const test = functionOf("int MPI_Test(void *, int *, intptr_t)");
  const finalize = functionOf("int MPI_Finalize()");
  const abort = functionOf("int MPI_Abort(intptr_t, int)");

  const call = (name: string, code: unknown): void => {
    if (code !== 0) throw new Error(`MPI: ${name} failed with code ${String(code)}`);
  };
  const number = (name: string, ask: (out: Int32Array) => unknown): number => {
    const out = new Int32Array(1);
    call(name, ask(out));
    return out[0];
  };
  const ended = (request: BigInt64Array<ArrayBuffer>, napMs: number): void => {
    while (number("MPI_Test", (out) => test(request, out, abi.statusIgnore)) === 0) sleep(napMs);
  };
  return {
    start() {
      number("MPI_Init_thread", (out) => init(null, null, abi.funneled, out));
      const text = new Uint8Array(NAME_BYTES);
      number("MPI_Get_library_version", (out) => versionOf(text, out));
      return {
        rank: number("MPI_Comm_rank", (out) => rankOf(abi.world, out)),
        size: number("MPI_Comm_size", (out) => sizeOf(abi.world, out)),
        version: versionIn(new TextDecoder().decode(text.subarray(0, text.indexOf(0)))),
      };
    },
    allReduce(values) {
      for (const part of partsOf(values)) {
        const type = part instanceof Float32Array ? abi.float : abi.double;
        call("MPI_Allreduce", allReduce(abi.inPlace, part, part.length, type, abi.sum, abi.world));
      }
    },
    allReduceAside(values) {
      for (const part of partsOf(values)) {
        const type = part instanceof Float32Array ? abi.float : abi.double;
        const request = new BigInt64Array(1);
        const begun = beginAllReduce(abi.inPlace, part, part.length, type, abi.sum, abi.world, request);
        call("MPI_Iallreduce", begun);
        ended(request, SHORT_NAP_MS);
      }
    },
    broadcast(bytes) {
      for (const part of partsOf(bytes)) {
        call("MPI_Bcast", broadcast(part, part.length, abi.byte, 0, abi.world));
      }
    },
    meet() {
      const request = new BigInt64Array(1);
      call("MPI_Ibarrier", barrier(abi.world, request));
      ended(request, NAP_MS);
    },
    finish: () => call("MPI_Finalize", finalize()),
    abort: (code) => void abort.async(abi.world, code, () => {}),
  };
}

/** Pieces of no more numbers than a call takes. */
function partsOf<Values extends Numbers | Uint8Array>(values: Values): Values[] {
  return Array.from({ length: Math.ceil(values.length / MOST) }, (_, i) => {
    return values.subarray(i * MOST, (i + 1) * MOST) as Values;
  });
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** `Open MPI v5.0.11` or `MPICH 5.0.2`, out of the lines that a library says of itself. */
function versionIn(text: string): string {
  const mpich = /MPICH Version:\s*(\S+)/.exec(text);
  return mpich ? `MPICH ${mpich[1]}` : text.split(/[,\n]/)[0].trim();
}
