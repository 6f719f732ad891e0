import { variablesOf } from "../../tensor/graph.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { Backend, BackendOptions, ExchangeValues, Executable } from "../backend.ts";
import { DeviceLost } from "../common/device-lost.ts";
import { checkGraph, checkInputs } from "../common/checks.ts";
import { checkSingles, exchangeCopies } from "../common/exchange.ts";
import { releaseWith } from "../common/garbage.ts";
import { Lifetime } from "../common/lifetime.ts";
import { Residency } from "../common/residency.ts";
import { VariableStore } from "../common/variable-store.ts";
import type { BackendFacts, HostFunctions } from "./backend-host.ts";
import { Caller } from "../common/channel.ts";
import type { WorkerLike } from "../common/channel.ts";
import { compact, recordGraph } from "../common/graph-record.ts";
import { VariableNumbers, WorkerVariables } from "./worker-variables.ts";

/**
 * A backend that lives in a worker. Compiling takes about a second for a training step; here it is the worker's
 * second, so that a page stays responsive.
 */
export class RemoteBackend implements Backend {
  readonly name: Backend["name"];
  readonly description: string;
  readonly reason: string | undefined;
  readonly precision: Backend["precision"];
  readonly #worker: WorkerLike;
  readonly #caller: Caller<HostFunctions>;
  readonly #lifetime: Lifetime;
  readonly #numbers: VariableNumbers;
  readonly #variables: VariableStore<number>;
  readonly #residency: Residency;
  #loaded = 0;

  private constructor(
    worker: WorkerLike,
    caller: Caller<HostFunctions>,
    { name, description, reason, precision }: BackendFacts,
  ) {
    this.name = name;
    this.description = description;
    this.reason = reason;
    this.precision = precision;
    this.#worker = worker;
    this.#caller = caller;
    this.#lifetime = new Lifetime(name);
    this.#numbers = new VariableNumbers(caller);
    this.#variables = new VariableStore(new WorkerVariables(caller, this.#numbers), this.#lifetime);
    this.#residency = new Residency(this.#variables, this.#lifetime);
  }

  /**
   * @param worker runs `hostBackend`; the backend ends it when it is closed
   * @param fault what to say if its script cannot be loaded
   */
  static async open(worker: WorkerLike, options: BackendOptions, fault?: string): Promise<RemoteBackend> {
    const caller = new Caller<HostFunctions>(worker, fault);
    try {
      return new RemoteBackend(worker, caller, await caller.call("open", options));
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#lifetime.isEnding || this.#caller.hasFailed;
  }

  async load(graph: Graph): Promise<Executable> {
    this.#lifetime.check();
    checkGraph(graph);
    const variables = variablesOf(graph);
    const program = this.#loaded++;
    const record = recordGraph(graph, (variable) => this.#numbers.of(variable));
    const sizes = await this.#residency.begin(variables, () => this.#caller.call("load", program, record));
    let disposed = false;
    const run = (inputs: readonly NdArray[]): Promise<NdArray[]> =>
      this.#residency.begin(variables, async () => {
        if (disposed) throw new Error("run: the program was disposed of");
        checkInputs(graph, inputs);
        return this.#caller.call("run", program, inputs.map(compacted));
      });
    const dispose = (): void => {
      disposed = true;
      release();
    };
    const executable = { ...sizes, run, dispose };
    const release = releaseWith(executable, disposing(this.#caller, program));
    return executable;
  }

  async exchange(variables: readonly Variable[], change: ExchangeValues): Promise<void> {
    checkSingles(variables);
    const read = () => this.#residency.begin(variables, () => Promise.all(variables.map((each) => each.read())));
    const write = (values: readonly Float32Array<ArrayBuffer>[]) =>
      Promise.all(variables.map((each, i) => each.write(values[i])));
    return exchangeCopies(variables, read, write, change);
  }

  close(): Promise<void> {
    return this.#lifetime.end(async () => {
      try {
        await this.#variables.moveAllToHost().catch((error: unknown) => {
          // With a device that is lost, so are its variables' values: to read one says so.
          if (!(error instanceof DeviceLost)) throw error;
        });
        await this.#caller.call("close");
      } finally {
        this.#worker.terminate();
        this.#caller.close(this.#lifetime.closed());
      }
    });
  }
}

/** Has the worker forget a program. It stands apart so that it cannot keep a program alive. */
function disposing(caller: Caller<HostFunctions>, program: number): () => void {
  return () => caller.tell("dispose", program);
}

function compacted({ shape, dtype, data }: NdArray): NdArray {
  return { shape, dtype, data: compact(data) };
}
