import type { Update } from "../tensor/graph.ts";
import { scalar, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { checkGradients, namedState, requireNotNegative } from "./optimizer.ts";
import type { Optimizer } from "./optimizer.ts";
import { checkOptions } from "../config/rules.ts";

export interface SgdOptions {
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Share of the last step that the next one keeps, from 0 (the default) to below 1. */
  readonly momentum?: number;
  /** Looks ahead by the momentum (Nesterov 1983, as in Sutskever et al. 2013); default false. */
  readonly nesterov?: boolean;
  /** What is added to the gradient, as a multiple of the parameter; default 0. */
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent with momentum, as in PyTorch:
 *
 *     g = gradient + weightDecay p,   b = momentum b + g
 *     p = p - learningRate b,   or with Nesterov's momentum   p = p - learningRate (g + momentum b)
 */
export class Sgd implements Optimizer {
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly #parameters: readonly Variable[];
  /** None without momentum. */
  readonly #buffers: readonly Variable[];

  constructor(parameters: readonly Variable[], options: SgdOptions = {}) {
    checkOptions("Sgd", options, {
      learningRate: "number",
      momentum: "number",
      nesterov: "boolean",
      weightDecay: "number",
    });
    const { learningRate = 1e-3, momentum = 0, nesterov = false, weightDecay = 0 } = options;
    requireNotNegative("Sgd", { learningRate, weightDecay });
    if (!(momentum >= 0 && momentum < 1)) throw new Error(`Sgd: momentum must be from 0 to below 1, got ${momentum}`);
    if (nesterov && momentum === 0) throw new Error("Sgd: nesterov needs a momentum above 0, got 0");
    this.learningRate = learningRate;
    this.momentum = momentum;
    this.nesterov = nesterov;
    this.weightDecay = weightDecay;
    this.#parameters = parameters;
    this.#buffers =
      momentum > 0 ? parameters.map(({ name, shape }) => new Variable(`${name}.momentum_buffer`, shape)) : [];
  }

  state(): Map<string, Variable> {
    return namedState("Sgd", this.#buffers);
  }

  updates(gradients: readonly Tensor[], learningRate: Tensor = scalar(this.learningRate)): Update[] {
    checkGradients("Sgd", this.#parameters, gradients);
    return this.#parameters.flatMap((parameter, i) => {
      const p = valueOf(parameter);
      const g = this.weightDecay === 0 ? gradients[i] : gradients[i].add(p.multiply(this.weightDecay));
      const moved = (direction: Tensor): Update => ({
        variable: parameter,
        value: p.subtract(direction.multiply(learningRate)),
      });
      if (this.momentum === 0) return [moved(g)];
      const buffer = this.#buffers[i];
      const b = valueOf(buffer).multiply(this.momentum).add(g);
      return [moved(this.nesterov ? g.add(b.multiply(this.momentum)) : b), { variable: buffer, value: b }];
    });
  }
}
