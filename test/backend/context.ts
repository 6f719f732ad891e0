import type { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { Backend } from "../../src/backend/backend.ts";
import type { Graph } from "../../src/tensor/graph.ts";
import type { NdArray } from "../../src/tensor/ndarray.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

/** How far a backend may be from the reference. */
export interface Tolerances {
  /** Of one add, subtract, multiply, divide or square root, relative. Default 0: the same bits. */
  readonly arithmetic: number;
  /** Of one exponential, logarithm, sine ..., relative to the value (sine, cosine: to 1). Default 1e-5. */
  readonly transcendental: number;
  /** Of one sum, relative to the sum of the summands' magnitudes. Default 4e-6. */
  readonly sum: number;
  /** Of one matrix product or convolution, relative to the same of the factors' magnitudes. Default 4e-6. */
  readonly product: number;
  /**
   * In a composition every op may be this far off, relative: as much as outputs move when the reference's ops are
   * moved by so much at random, a few times over, is allowed. Default 5e-7.
   */
  readonly rounding: number;
  /** Of a number that is kept between kernels, relative. Default 2^-24, as a float has 24 bits. */
  readonly storage: number;
  /** Whether the device keeps numbers below 1.18e-38 (else they are taken out of the tests). Default true. */
  readonly denormals: boolean;
}

export const DEFAULT_TOLERANCES: Tolerances = {
  arithmetic: 0,
  transcendental: 1e-5,
  sum: 4e-6,
  product: 4e-6,
  rounding: 5e-7,
  storage: 2 ** -24,
  denormals: true,
};

export const SMALLEST_NORMAL = 2 ** -126;

export interface Context {
  /** The backend under test; there from beforeAll on. */
  readonly backend: () => Backend;
  readonly reference: ReferenceBackend;
  readonly tolerances: Tolerances;
  /** How many random graphs to run. */
  readonly randomGraphs: number;
}

export function inputLeaves(inputs: readonly Pick<NdArray, "shape" | "dtype">[]): Tensor[] {
  return inputs.map(({ shape, dtype }, index) => new Tensor({ kind: "input", index, shape, dtype }));
}

/** Loads a graph, runs it once and disposes of it. */
export async function runOnce(backend: Backend, graph: Graph, inputs: readonly NdArray[]): Promise<NdArray[]> {
  const executable = await backend.load(graph);
  const outputs = await executable.run(inputs);
  executable.dispose();
  return outputs;
}

/** Runs a function of tensors once. */
export async function evaluate(
  backend: Backend,
  inputs: readonly NdArray[],
  build: (inputs: readonly Tensor[]) => readonly Tensor[],
): Promise<NdArray[]> {
  const leaves = inputLeaves(inputs);
  return runOnce(backend, { inputs: leaves, outputs: build(leaves), updates: [] }, inputs);
}
