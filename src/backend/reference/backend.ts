import type { TypedArray } from "../../tensor/dtype.ts";
import type { Graph } from "../../tensor/graph.ts";
import { variablesOf } from "../../tensor/graph.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Variable } from "../../tensor/variable.ts";
import type { Backend, ExchangeValues, Executable } from "../backend.ts";
import { checkSingles } from "../common/exchange.ts";
import { checkGraph, checkInputs } from "../common/checks.ts";
import { Lifetime } from "../common/lifetime.ts";
import { Residency } from "../common/residency.ts";
import { VariableStore } from "../common/variable-store.ts";
import type { VariableMemory } from "../common/variable-store.ts";
import { interpret, planOf } from "./interpreter.ts";

/**
 * A plain interpreter: one tensor after the other, each computed in float64 and rounded to its dtype. Slow; it
 * says what a graph means, and the tests compare the other backends with it.
 */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly precision = "f32";
  readonly description = "reference interpreter, float64 arithmetic, 1 thread";
  readonly #lifetime = new Lifetime("reference");
  readonly #variables = new VariableStore(hostMemory, this.#lifetime);
  readonly #residency = new Residency(this.#variables, this.#lifetime);

  static create(): ReferenceBackend {
    return new ReferenceBackend();
  }

  get isClosed(): boolean {
    return this.#lifetime.isEnding;
  }

  async load(graph: Graph): Promise<Executable> {
    this.#lifetime.check();
    checkGraph(graph);
    const plan = planOf(graph);
    const variables = variablesOf(graph);
    await this.#residency.begin(variables, async () => {});
    let disposed = false;
    const interpretOnce = async (inputs: readonly NdArray[]): Promise<NdArray[]> => {
      this.#lifetime.check();
      if (disposed) throw new Error("run: the program was disposed of");
      checkInputs(graph, inputs);
      const placeOf = (variable: Variable): HostValue => this.#variables.placeOf(variable);
      const results = interpret(graph, plan, { inputs, valueOf: (variable) => placeOf(variable).data });
      graph.updates.forEach(({ variable }, i) => (placeOf(variable).data = results.updates[i]));
      return [...results.outputs];
    };
    const dispose = (): void => {
      disposed = true;
    };
    const run = (inputs: readonly NdArray[]): Promise<NdArray[]> =>
      this.#residency.begin(variables, () => interpretOnce(inputs));
    return { workspaceBytes: plan.peakBytes, heldBytes: 0, run, dispose };
  }

  async exchange(variables: readonly Variable[], change: ExchangeValues): Promise<void> {
    checkSingles(variables);
    return this.#residency.begin(variables, () =>
      change(variables.map((variable) => this.#variables.placeOf(variable).data as Float32Array)),
    );
  }

  close(): Promise<void> {
    return this.#lifetime.end(() => this.#variables.moveAllToHost());
  }
}

/** A value that programs replace. */
interface HostValue {
  data: TypedArray;
}

const hostMemory: VariableMemory<HostValue> = {
  allocate: () => ({ data: new Float32Array() }),
  initialize: async (place, _, data) => void (place.data = data),
  write: async (place, _, data) => void (place.data = data.slice()),
  read: async ({ data }) => data.slice(),
  free: () => {},
};
