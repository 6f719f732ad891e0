import type { Update } from "../tensor/graph.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";

/** Turns gradients into the next values of parameters, inside a program. */
export interface Optimizer {
  /** Everything that a checkpoint must hold, by name: the parameters' names with PyTorch's for what is kept of each. */
  state(): Map<string, Variable>;
  /**
   * One step as updates of the parameters and of the optimizer's own state.
   *
   * @param gradients in the order of the parameters
   * @param learningRate a scalar
   */
  updates(gradients: readonly Tensor[], learningRate: Tensor): Update[];
}

/** @throws one line, if there are not as many gradients as parameters, or one has another shape */
export function checkGradients(name: string, parameters: readonly Variable[], gradients: readonly Tensor[]): void {
  if (gradients.length !== parameters.length) {
    throw new Error(`${name}: needs ${parameters.length} gradients, got ${gradients.length}`);
  }
  for (const [i, parameter] of parameters.entries()) {
    if (sameShape(parameter.shape, gradients[i].shape)) continue;
    const [required, got] = [formatShape(parameter.shape), formatShape(gradients[i].shape)];
    throw new Error(`${name}: gradient of ${parameter.name} must be ${required}, got ${got}`);
  }
}

/** Variables by their names. @throws one line, if two have the same */
export function namedState(name: string, variables: readonly Variable[]): Map<string, Variable> {
  const named = new Map(variables.map((variable) => [variable.name, variable]));
  if (named.size !== variables.length) throw new Error(`${name}: the parameters' names must be distinct`);
  return named;
}

/** @throws one line, unless a number is at least 0 */
export function requireNotNegative(optimizer: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value >= 0)) throw new Error(`${optimizer}: ${name} must be at least 0, got ${value}`);
  }
}
