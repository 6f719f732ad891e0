import type { Update } from "../tensor/graph.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";

/** When and how far an exponential moving average of the parameters follows them. */
export interface EmaSchedule {
  /** The share of the old average that stays, once warm; 0 keeps no average. */
  readonly emaDecay: number;
  /** The average moves at every so many steps. */
  readonly emaUpdateEvery: number;
}

/**
 * How far the average moves towards the parameters after one step: 0 not at all, 1 all the way, as it does until its first
 * move. At its s-th, from 0, the decay is min(emaDecay, (1 + s) / (10 + s)), so that the random start is soon forgotten.
 *
 * @param step the step just taken, from 0
 */
export function emaRateAt(step: number, { emaDecay, emaUpdateEvery }: EmaSchedule): number {
  if (step + 1 < emaUpdateEvery) return 1;
  if ((step + 1) % emaUpdateEvery !== 0) return 0;
  const moves = (step + 1) / emaUpdateEvery - 1;
  return 1 - Math.min(emaDecay, (1 + moves) / (10 + moves));
}

/**
 * Moves averages towards the parameters' next values: average + rate * (value - average).
 *
 * @param averages by parameter name
 * @param next the parameters' values after this step, by the same names
 * @param rate f32 scalar from {@link emaRateAt}
 */
export function emaUpdates(
  averages: ReadonlyMap<string, Variable>,
  next: ReadonlyMap<string, Tensor>,
  rate: Tensor,
): Update[] {
  return [...averages].map(([name, variable]) => {
    const value = next.get(name);
    if (value === undefined) throw new Error(`internal: the average ${name} has no parameter to follow`);
    const average = valueOf(variable);
    return { variable, value: average.add(value.subtract(average).multiply(rate)) };
  });
}
