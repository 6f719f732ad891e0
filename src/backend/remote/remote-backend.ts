import type { TypedArray } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import { Arrivals } from "../common/arrivals.ts";
import type { Backend, BackendOptions, Executable } from "../backend.ts";
import { checkGraph, checkInputs } from "../common/checks.ts";
import type { BackendFacts, HostFunctions } from "./backend-host.ts";
import { Caller } from "./channel.ts";
import type { WorkerLike } from "./channel.ts";
import { compact, recordGraph, variablesOf } from "./graph-record.ts";

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
  readonly #numbers = new WeakMap<Variable, number>();
  /** Variables whose values are in the worker. */
  readonly #here = new Set<Variable>();
  readonly #storage: VariableStorage;
  readonly #arrivals = new Arrivals({
    has: (variable) => this.#here.has(variable),
    bring: (variable) => this.#bring(variable),
  });
  #named = 0;
  #loaded = 0;
  #closed = false;

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
    this.#storage = {
      read: (variable) => caller.call("read", this.#numberOf(variable)),
      write: (variable, data) => this.#place(variable, data),
      take: async (variable) => {
        // Programs that begin from now on do not find it.
        this.#here.delete(variable);
        try {
          const data = await caller.call("read", this.#numberOf(variable));
          this.#cleanUp("release", this.#numberOf(variable));
          return data;
        } catch (error) {
          // Whoever asks for it again is told the same.
          this.#here.add(variable);
          throw error;
        }
      },
    };
  }

  /** @param worker runs `hostBackend`; the backend ends it when it is closed */
  static async open(worker: WorkerLike, options: BackendOptions): Promise<RemoteBackend> {
    const caller = new Caller<HostFunctions>(worker);
    try {
      return new RemoteBackend(worker, caller, await caller.call("open", options));
    } catch (error) {
      worker.terminate();
      throw error;
    }
  }

  async load(graph: Graph): Promise<Executable> {
    this.#checkOpen();
    checkGraph(graph);
    const variables = variablesOf(graph);
    const program = this.#loaded++;
    const record = recordGraph(graph, (variable) => this.#numberOf(variable));
    const { workspaceBytes } = await this.#arrivals.begin(variables, () => this.#caller.call("load", program, record));
    let disposed = false;
    return {
      workspaceBytes,
      run: (inputs) =>
        this.#arrivals.begin(variables, async () => {
          this.#checkOpen();
          if (disposed) throw new Error("run: the program was disposed of");
          checkInputs(graph, inputs);
          return this.#caller.call("run", program, inputs.map(compacted));
        }),
      dispose: () => {
        if (disposed || this.#closed) return;
        disposed = true;
        this.#cleanUp("dispose", program);
      },
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      for (const variable of this.#here) await variable.moveToHost();
      await this.#caller.call("close");
    } finally {
      this.#closed = true;
      this.#worker.terminate();
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error(`${this.name}: the backend is closed`);
  }

  async #bring(variable: Variable): Promise<void> {
    this.#checkOpen();
    let placed: Promise<void> | undefined;
    await variable.moveTo(this.#storage, (data) => {
      // From now on whatever is asked of the worker comes after this.
      placed = this.#place(variable, data);
      this.#here.add(variable);
    });
    await placed;
  }

  #place(variable: Variable, data: TypedArray): Promise<void> {
    const { name, shape, dtype } = variable;
    return this.#caller.call("place", this.#numberOf(variable), { name, shape, dtype, data });
  }

  /** If the worker is gone, so is what it held. */
  #cleanUp(what: "release" | "dispose", number: number): void {
    this.#caller.call(what, number).catch(() => undefined);
  }

  #numberOf(variable: Variable): number {
    let number = this.#numbers.get(variable);
    if (number === undefined) this.#numbers.set(variable, (number = this.#named++));
    return number;
  }
}

function compacted({ shape, dtype, data }: NdArray): NdArray {
  return { shape, dtype, data: compact(data) };
}
