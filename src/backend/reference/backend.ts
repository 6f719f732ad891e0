import type { TypedArray } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Variable, VariableStorage } from "../../tensor/variable.ts";
import type { Backend, Executable } from "../backend.ts";
import { checkGraph, checkInputs } from "../checks.ts";
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
    free: (variable) => void this.#values.delete(variable),
  };

  static create(): ReferenceBackend {
    return new ReferenceBackend();
  }

  async load(graph: Graph): Promise<Executable> {
    this.#checkOpen();
    checkGraph(graph);
    const plan = planOf(graph);
    const variables = variablesOf(graph);
    await this.#adopt(variables);
    let disposed = false;
    const run = async (inputs: readonly NdArray[]): Promise<NdArray[]> => {
      this.#checkOpen();
      if (disposed) throw new Error("run: the program was disposed of");
      checkInputs(graph, inputs);
      await this.#adopt(variables);
      const results = interpret(graph, plan, { inputs, valueOf: (variable) => this.#valueOf(variable) });
      graph.updates.forEach(({ variable }, i) => this.#values.set(variable, results.updates[i]));
      return [...results.outputs];
    };
    const dispose = (): void => {
      disposed = true;
    };
    return { workspaceBytes: plan.peakBytes, run, dispose };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const variable of this.#values.keys()) await variable.moveToHost();
  }

  async #adopt(variables: readonly Variable[]): Promise<void> {
    for (const variable of variables) {
      const data = await variable.moveTo(this.#storage);
      if (data) this.#values.set(variable, data);
    }
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
