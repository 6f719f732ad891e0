import type { Update } from "../tensor/graph.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { scalar, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { globalNorm } from "./gradient.ts";
import type { State } from "./state.ts";

const INITIAL_SCALE = 2 ** 16;
const GROWTH_FACTOR = 2;
const BACKOFF_FACTOR = 0.5;
/** Steps in a row with finite gradients after which the scale grows. */
const GROWTH_INTERVAL = 2000;
/** Powers of two whose reciprocals are normal floats, too. */
const [LEAST, MOST] = [2 ** -24, 2 ** 126];
const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127;

const SCALE = "loss_scale";
const GROWTH_TRACKER = "loss_scale.growth_tracker";

/**
 * Dynamic loss scaling (Micikevicius et al. 2018, 1710.03740, section 3.2) with the constants of PyTorch's GradScaler.
 * Gradients of the loss are too small for halves; those of a multiple of it are not. Where one is too large, the step is
 * not taken and the multiple halved; after 2000 steps without it is doubled.
 */
export class LossScale {
  readonly #scale = new Variable(SCALE, [], { data: Float32Array.of(INITIAL_SCALE) });
  readonly #growthTracker = new Variable(GROWTH_TRACKER, []);

  /** Everything that a checkpoint must hold, by name. */
  state(): Map<string, Variable> {
    return new Map([this.#scale, this.#growthTracker].map((variable) => [variable.name, variable]));
  }

  /** What to take the gradients of instead of the loss. */
  scale(loss: Tensor): Tensor {
    return loss.multiply(valueOf(this.#scale));
  }

  /** The loss's gradients from those of what {@link scale} returns. */
  unscale(gradients: readonly Tensor[]): Tensor[] {
    const reciprocal = scalar(1).divide(valueOf(this.#scale));
    return gradients.map((gradient) => gradient.multiply(reciprocal));
  }

  /**
   * The updates of a step, which change nothing unless all its gradients are finite, and those of the scale.
   *
   * @param gradients as {@link unscale} gives them
   */
  updates(gradients: readonly Tensor[], step: readonly Update[]): Update[] {
    const isFinite = globalNorm(gradients).compare("le", LARGEST_FLOAT);
    const scale = valueOf(this.#scale);
    const count = valueOf(this.#growthTracker).add(1);
    const grows = count.compare("ge", GROWTH_INTERVAL);
    const next = isFinite.select(grows.select(scale.multiply(GROWTH_FACTOR), scale), scale.multiply(BACKOFF_FACTOR));
    return [
      ...step.map(({ variable, value }) => ({ variable, value: isFinite.select(value, valueOf(variable)) })),
      { variable: this.#scale, value: next.clamp(LEAST, MOST) },
      { variable: this.#growthTracker, value: isFinite.select(grows.select(0, count), 0) },
    ];
  }
}

/** Whether gradients overflowed at every scale that there is: then no step was taken for long, and none will be. */
export function isExhausted(state: State): boolean {
  return state.get(SCALE)?.data[0] === LEAST;
}

/**
 * A checkpoint's state as that of a run with a loss scale or without: a run may go on in another precision.
 *
 * @returns the state with the scale that it has, or else the initial one; or without
 */
export function withLossScale(state: State, isScaled: boolean): State {
  const initial: State = new Map([
    [SCALE, ndarray([INITIAL_SCALE], [])],
    [GROWTH_TRACKER, ndarray([0], [])],
  ]);
  return isScaled ? new Map([...initial, ...state]) : new Map([...state].filter(([name]) => !initial.has(name)));
}
