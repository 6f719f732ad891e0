import type { TrainingSettings } from "../../checkpoint/training-settings.ts";
import { emaUpdates } from "../../optim/ema.ts";
import { clipByGlobalNorm } from "../../optim/gradient.ts";
import { LossScale, withLossScale } from "../../optim/loss-scale.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { newOptimizer } from "../../optim/optimizers.ts";
import type { State } from "../../optim/state.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import type { Update } from "../../tensor/graph.ts";
import { valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Variable } from "../../tensor/variable.ts";

/** From a loss to the next values of parameters and of their averages, and what that keeps from step to step. */
export class ParameterUpdate {
  readonly #parameters: ReadonlyMap<string, Variable>;
  readonly #averages: ReadonlyMap<string, Variable> | undefined;
  readonly #maxGradNorm: number;
  readonly #optimizer: Optimizer;
  /** Where gradients are of half precision. */
  readonly #lossScale: LossScale | undefined;

  /** @param averages by the names of the parameters */
  constructor(
    parameters: ReadonlyMap<string, Variable>,
    averages: ReadonlyMap<string, Variable> | undefined,
    settings: TrainingSettings,
    isHalf: boolean,
  ) {
    this.#parameters = parameters;
    this.#averages = averages;
    this.#maxGradNorm = settings.maxGradNorm;
    this.#optimizer = newOptimizer(settings.optimizer, [...parameters.values()], settings);
    this.#lossScale = isHalf ? new LossScale() : undefined;
  }

  /** Everything that a checkpoint must hold besides the parameters and averages, by name. */
  state(): Map<string, Variable> {
    return new Map([...this.#optimizer.state(), ...(this.#lossScale?.state() ?? [])]);
  }

  /** A checkpoint's state as one for the variables of {@link state}. */
  adopt(state: State): State {
    return withLossScale(state, this.#lossScale !== undefined);
  }

  /** In the order of the parameters. */
  gradients(loss: Tensor): Tensor[] {
    const parameters = [...this.#parameters.values()].map(valueOf);
    if (!this.#lossScale) return grad(loss, parameters);
    return this.#lossScale.unscale(grad(this.#lossScale.scale(loss), parameters));
  }

  updates(gradients: readonly Tensor[], learningRate: Tensor, emaRate: Tensor): Update[] {
    const clipped = this.#maxGradNorm > 0 ? clipByGlobalNorm(gradients, this.#maxGradNorm) : gradients;
    const step = this.#optimizer.updates(clipped, learningRate);
    const updates = this.#lossScale?.updates(gradients, step) ?? step;
    if (this.#averages === undefined) return updates;
    const values = new Map(updates.map(({ variable, value }) => [variable, value]));
    const next = new Map(
      [...this.#parameters].flatMap(([name, variable]) => {
        const value = values.get(variable);
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
    return [...updates, ...emaUpdates(this.#averages, next, emaRate)];
  }
}
