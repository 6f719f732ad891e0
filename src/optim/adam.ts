import type { Update } from "../tensor/graph.ts";
import { scalar, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { checkGradients, namedState, requireNotNegative } from "./optimizer.ts";
import type { Optimizer } from "./optimizer.ts";
import { checkOptions } from "../config/rules.ts";

export interface AdamOptions {
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Decay of the averages of gradients and of their squares; default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
}

/** The running averages of one parameter. */
interface Moments {
  readonly parameter: Variable;
  readonly first: Variable;
  readonly second: Variable;
}

/**
 * Adam (Kingma & Ba 2014, 1412.6980, Algorithm 1), as in PyTorch:
 *
 *     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2
 *     p = p - learningRate (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + epsilon)   in the k-th step
 */
export class Adam implements Optimizer {
  readonly learningRate: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly #moments: readonly Moments[];
  /** 1 - b^k per beta, each an average of ones like the moments that it corrects: no digits cancel. */
  readonly #corrections: readonly [Variable, Variable];

  constructor(parameters: readonly Variable[], options: AdamOptions = {}) {
    checkOptions("Adam", options, { learningRate: "number", betas: "list", epsilon: "number" });
    const { learningRate = 1e-3, betas = [0.9, 0.999], epsilon = 1e-8 } = options;
    requireNotNegative("Adam", { learningRate, epsilon });
    for (const beta of betas) {
      if (!(beta >= 0 && beta < 1)) throw new Error(`Adam: betas must be from 0 to below 1, got ${beta}`);
    }
    this.learningRate = learningRate;
    this.betas = betas;
    this.epsilon = epsilon;
    this.#moments = parameters.map((parameter) => ({
      parameter,
      first: new Variable(`${parameter.name}.exp_avg`, parameter.shape),
      second: new Variable(`${parameter.name}.exp_avg_sq`, parameter.shape),
    }));
    this.#corrections = [new Variable("bias_correction1", []), new Variable("bias_correction2", [])];
  }

  /** Everything that a checkpoint must hold, by name: the parameters' names with PyTorch's for the moments. */
  state(): Map<string, Variable> {
    const moments = this.#moments.flatMap(({ first, second }) => [first, second]);
    return namedState("Adam", [...moments, ...this.#corrections]);
  }

  /**
   * One step as updates of the parameters and of this optimizer's state.
   *
   * @param gradients in the order of the parameters
   * @param learningRate a scalar instead of the constant one, such as from a schedule
   */
  updates(gradients: readonly Tensor[], learningRate: Tensor = scalar(this.learningRate)): Update[] {
    const parameters = this.#moments.map(({ parameter }) => parameter);
    checkGradients("Adam", parameters, gradients);
    const [c1, c2] = this.#corrections.map((variable, i) => average(valueOf(variable), scalar(1), this.betas[i]));
    const stepSize = learningRate.divide(c1);
    const secondScale = c2.rsqrt();
    const ofParameters = this.#moments.flatMap(({ parameter, first, second }, i) => {
      const m = average(valueOf(first), gradients[i], this.betas[0]);
      const v = average(valueOf(second), gradients[i].square(), this.betas[1]);
      const denominator = v.sqrt().multiply(secondScale).add(this.epsilon);
      const value = this.kept(parameter, learningRate).subtract(m.multiply(stepSize).divide(denominator));
      return [
        { variable: parameter, value },
        { variable: first, value: m },
        { variable: second, value: v },
      ];
    });
    return [
      ...ofParameters,
      { variable: this.#corrections[0], value: c1 },
      { variable: this.#corrections[1], value: c2 },
    ];
  }

  /** What a step leaves of a parameter before it moves it. */
  protected kept(parameter: Variable, _learningRate: Tensor): Tensor {
    return valueOf(parameter);
  }
}

/** beta * old + (1 - beta) * value */
function average(old: Tensor, value: Tensor, beta: number): Tensor {
  return old.multiply(beta).add(value.multiply(1 - beta));
}
