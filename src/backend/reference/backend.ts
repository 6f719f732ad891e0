import type { TypedArray } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import { Arrivals } from "../common/arrivals.ts";
import type { Backend, Executable } from "../backend.ts";
import { checkGraph, checkInputs } from "../common/checks.ts";
import { interpret, planOf } from "./interpreter.ts";

/**
 * A plain interpreter: one tensor after the other, each computed in float64 and rounded to its dtype. Slow; it
 * says what a graph means, and the tests compare the other backends with it.
 */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly precision = "f32";
  readonly description = "reference interpreter, float64 arithmetic, 1 thread";
  readonly #values = new Map<Variable, TypedArray>();
  #closed = false;

  readonly #storage: VariableStorage = {
    read: async (variable) => this.#valueOf(variable).slice(),
    write: async (variable, data) => void this.#values.set(variable, data.slice()),
    take: async (variable) => {
      const value = this.#valueOf(variable);
      this.#values.delete(variable);
      return value;
    },
  };
  readonly #arrivals = new Arrivals({
    has: (variable) => this.#values.has(variable),
    bring: async (variable) => {
      this.#checkOpen();
      await variable.moveTo(this.#storage, (data) => void this.#values.set(variable, data));
    },
  });

  static create(): ReferenceBackend {
    return new ReferenceBackend();
  }

  async load(graph: Graph): Promise<Executable> {
    this.#checkOpen();
    checkGraph(graph);
    const plan = planOf(graph);
    const variables = variablesOf(graph);
    await this.#arrivals.begin(variables, async () => {});
    let disposed = false;
    const interpretOnce = async (inputs: readonly NdArray[]): Promise<NdArray[]> => {
      this.#checkOpen();
      if (disposed) throw new Error("run: the program was disposed of");
      checkInputs(graph, inputs);
      const results = interpret(graph, plan, { inputs, valueOf: (variable) => this.#valueOf(variable) });
      graph.updates.forEach(({ variable }, i) => this.#values.set(variable, results.updates[i]));
      return [...results.outputs];
    };
    const dispose = (): void => {
      disposed = true;
    };
    const run = (inputs: readonly NdArray[]): Promise<NdArray[]> =>
      this.#arrivals.begin(variables, () => interpretOnce(inputs));
    return { workspaceBytes: plan.peakBytes, run, dispose };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const variable of this.#values.keys()) await variable.moveToHost();
  }

  #valueOf(variable: Variable): TypedArray {
    const value = this.#values.get(variable);
    if (!value) throw new Error(`internal: variable ${variable.name} is not on the reference backend`);
    return value;
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error("reference: the backend is closed");
  }
}

function variablesOf(graph: Graph): Variable[] {
  const read = topologicalOrder(rootsOf(graph)).flatMap(({ op }) => (op.kind === "variable" ? [op.variable] : []));
  return [...new Set([...read, ...graph.updates.map(({ variable }) => variable)])];
}
