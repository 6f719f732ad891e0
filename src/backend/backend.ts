import type { Graph } from "../tensor/graph.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { Variable } from "../tensor/variable.ts";
import type { Precision, PrecisionOption } from "./common/precision.ts";

/** Changes values where they are. */
export type ExchangeValues = (blocks: readonly Float32Array[]) => Promise<void>;

/** Values that a program computes and that the host then changes, group by group in their order. */
export interface GroupExchange {
  readonly groups: readonly (readonly Variable[])[];
  /** Is called for each group when the one before it is done. */
  readonly change: ExchangeValues;
}

/** A device that runs graphs. One program runs at a time; calls made meanwhile queue up. */
export interface Backend {
  readonly name: "reference" | "wasm" | "webgpu";
  /** One line for people: what it runs on, with how many threads. */
  readonly description: string;
  /** One line: why `auto` did not take a GPU. */
  readonly reason?: string | undefined;
  readonly precision: Precision;
  /** Whether it takes no work any more, as it was closed or its device failed. */
  readonly isClosed: boolean;
  /**
   * Compiles a graph. Variables that it names move to this device and stay there until a program of
   * another one needs them, which waits for those that were begun here.
   *
   * @throws OutOfMemory (out-of-memory.ts) where the program does not fit
   */
  load(graph: Graph): Promise<Executable>;
  /**
   * Lets the host change the values of f32 variables, after the programs that have begun; they move to this device if they
   * are elsewhere. Until it settles, no program may begin that updates them.
   *
   * @param change is given the values in the order of the variables, as few arrays as possible: those that lie side by
   * side in memory are one, maybe with numbers between them that mean nothing. The arrays are good until it settles.
   */
  exchange(variables: readonly Variable[], change: ExchangeValues): Promise<void>;
  /** Brings all variables back to the host and frees the device. */
  close(): Promise<void>;
}

/** Bytes that are kept from process to process under a name; it may forget. */
export interface ByteCache {
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

export interface BackendOptions {
  /** `auto`, the default, is the fastest that works here. */
  readonly device?: "auto" | "webgpu" | "wasm" | undefined;
  /**
   * What to compute in. Default `f32`. With `strict`, too, every number is a float32, and the wasm backend takes the more exact
   * of its ways to compute a 3x3 convolution, which takes longer. Only the webgpu backend takes `f16`.
   */
  readonly precision?: PrecisionOption | undefined;
  /**
   * Threads of the wasm backend, a whole number from 1 to 256 or as many as the hardware has. Default: `UNNOISE_THREADS`
   * in Node if it is set, else all hardware threads; 1 in a page that is not cross-origin isolated.
   */
  readonly threads?: number | undefined;
  /**
   * In a page: the address of `unnoise/worker`, the script that backends run in, where the page serves it itself; it may
   * be of another origin. Unless given, it is the one that the bundler found, or the one within `unnoise/browser`.
   */
  readonly workerUrl?: string | URL | undefined;
  /**
   * In a page: the address of the folder with programs that `compileAhead` made when the site was built, which the wasm
   * backend then need not compile.
   */
  readonly programs?: string | URL | undefined;
  /** Where the wasm backend keeps compiled programs for the next process; nowhere unless given. In a page it is Cache Storage. */
  readonly cache?: ByteCache | undefined;
  /**
   * Whether the webgpu backend measures products and convolutions with several tiles when it compiles a program, which
   * takes some seconds; default false. What was measured before is used anyway.
   */
  readonly tune?: boolean | undefined;
  /** Where the webgpu backend keeps which tiles were the fastest; nowhere unless given. In a page it is Cache Storage. */
  readonly tileCache?: ByteCache | undefined;
  /** Is told in single lines how tuning gets on; in Node alone. */
  readonly log?: ((line: string) => void) | undefined;
}

/** A compiled graph. */
export interface Executable {
  /** Bytes of intermediate results that a run needs, by the memory plan. */
  readonly workspaceBytes: number;
  /** Bytes of the device's memory that it has to itself from run to run: constants, and what it keeps of variables. */
  readonly heldBytes: number;
  /** Runs once: variables are updated in place; the results are the graph's outputs, in order. */
  run(inputs: readonly NdArray[]): Promise<NdArray[]>;
  /**
   * Runs once, and lets the host change each group of variables while the program goes on, as soon as it has no more to do
   * with them. Where a device cannot, the exchange comes after the run.
   */
  runAndExchange?(inputs: readonly NdArray[], exchange: GroupExchange): Promise<NdArray[]>;
  dispose(): void;
}
