import type { Backend, Executable } from "../../src/backend/backend.ts";
import type { Graph, Update } from "../../src/tensor/graph.ts";
import { rootsOf, topologicalOrder } from "../../src/tensor/graph.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import type { Variable } from "../../src/tensor/variable.ts";
import { Random } from "../support/random.ts";
import { difference } from "./comparison.ts";
import { inputLeaves } from "./context.ts";
import type { Context } from "./context.ts";
import { perturb } from "./perturbation.ts";

/** A program to run on a backend and on the reference, with fresh inputs every run. */
export interface Scenario {
  readonly name: string;
  readonly inputs?: (random: Random) => readonly NdArray[];
  /** Called once per device: a variable lives on one at a time. */
  readonly variables?: (random: Random) => readonly Variable[];
  readonly build: (inputs: readonly Tensor[], variables: readonly Variable[]) => Built;
  /** No rounding is allowed for: all outputs must be the same numbers. */
  readonly exact?: boolean;
  readonly runs?: number;
}

export interface Built {
  readonly outputs: readonly Tensor[];
  readonly updates?: readonly Update[];
}

const PERTURBED_RUNS = 4;
/** How much more than the reference's perturbed runs a backend may be off. */
const MARGIN = 6;

/** One program on one device, with variables of its own. */
class Instance {
  readonly graph: Graph;
  readonly #variables: readonly Variable[];
  readonly #executable: Executable;

  constructor(graph: Graph, variables: readonly Variable[], executable: Executable) {
    this.graph = graph;
    this.#variables = variables;
    this.#executable = executable;
  }

  static async load(
    backend: Backend,
    scenario: Scenario,
    seed: number,
    change = (graph: Graph) => graph,
  ): Promise<Instance> {
    const leaves = inputLeaves(scenario.inputs?.(new Random(seed)) ?? []);
    const variables = scenario.variables?.(new Random(seed)) ?? [];
    const { outputs, updates = [] } = scenario.build(leaves, variables);
    const graph = change({ inputs: leaves, outputs, updates });
    return new Instance(graph, variables, await backend.load(graph));
  }

  /** The outputs, then the variables' values. */
  async run(inputs: readonly NdArray[]): Promise<NdArray[]> {
    const outputs = await this.#executable.run(inputs);
    const values: NdArray[] = [];
    for (const variable of this.#variables) {
      values.push({ shape: variable.shape, dtype: variable.dtype, data: await variable.read() });
    }
    return [...outputs, ...values];
  }

  dispose(): void {
    this.#executable.dispose();
  }
}

/** Runs a scenario on the backend under test and on the reference; what differs, or undefined. */
export async function differenceOf(context: Context, scenario: Scenario, seed: number): Promise<string | undefined> {
  const { backend, reference, tolerances } = context;
  const actual = await Instance.load(backend(), scenario, seed);
  const expected = await Instance.load(reference, scenario, seed);
  const disturbed: Instance[] = [];
  for (let i = 0; i < (scenario.exact ? 0 : PERTURBED_RUNS); i++) {
    const change = (graph: Graph): Graph => perturb(graph, new Random(seed + 7919 * i), tolerances.rounding);
    disturbed.push(await Instance.load(reference, scenario, seed, change));
  }
  const instances = [actual, expected, ...disturbed];
  for (let run = 0; run < (scenario.runs ?? (scenario.variables ? 3 : 1)); run++) {
    const inputs = scenario.inputs?.(new Random(seed + run)) ?? [];
    const results: NdArray[][] = [];
    for (const instance of instances) results.push(await instance.run(inputs));
    const [got, wanted, ...moved] = results;
    for (const [i, value] of wanted.entries()) {
      const differs = difference(
        got[i],
        value,
        allowance(
          value,
          tolerances.storage,
          moved.map((outputs) => outputs[i]),
        ),
      );
      const place = i < actual.graph.outputs.length ? `output ${i}` : `variable ${i - actual.graph.outputs.length}`;
      if (differs) return `seed ${seed}, run ${run}, ${place}: ${differs}\n${formatGraph(actual.graph)}`;
    }
  }
  for (const instance of instances) instance.dispose();
  return undefined;
}

/** Per element: a few times what the perturbed runs moved it, or moved the elements on average, and its own rounding. */
function allowance(expected: NdArray, storage: number, moved: readonly NdArray[]): (index: number) => number {
  if (expected.dtype !== "f32" || moved.length === 0) return () => 0;
  const furthest = new Float64Array(expected.data.length);
  let squares = 0;
  let count = 0;
  for (const { data } of moved) {
    for (let i = 0; i < data.length; i++) {
      const distance = Math.abs(data[i] - expected.data[i]);
      if (!Number.isFinite(distance)) continue;
      furthest[i] = Math.max(furthest[i], distance);
      squares += distance * distance;
      count++;
    }
  }
  const typical = Math.sqrt(squares / Math.max(1, count));
  return (i) => MARGIN * Math.max(furthest[i], typical) + storage * Math.abs(expected.data[i]);
}

/** The graph as text, one node a line, so that a failure can be read and built again. */
export function formatGraph(graph: Graph): string {
  const lines = topologicalOrder(rootsOf(graph)).map((node) => {
    const details = Object.entries(node.op).filter(([key]) => key !== "kind" && key !== "data" && key !== "variable");
    return `  ${node.toString()} ${details.length === 0 ? "" : JSON.stringify(Object.fromEntries(details))}`;
  });
  const ids = (nodes: readonly Tensor[]): string => nodes.map(({ id }) => `%${id}`).join(", ");
  const updates = graph.updates.map(({ variable, value }) => `  update ${variable.name} = %${value.id}`);
  return [...lines, `  outputs ${ids(graph.outputs)}`, ...updates].join("\n");
}

/** Inputs of these shapes. */
export const floats =
  (...shapes: readonly Shape[]) =>
  (random: Random): NdArray[] =>
    shapes.map((shape) => random.array(shape));
