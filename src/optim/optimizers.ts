import type { Variable } from "../tensor/variable.ts";
import { Adam } from "./adam.ts";
import { AdamW } from "./adamw.ts";
import type { Optimizer } from "./optimizer.ts";
import { Sgd } from "./sgd.ts";

/** Numbers of all optimizers; each takes those that it knows. */
export interface OptimizerSettings {
  readonly adamBetas: readonly [number, number];
  readonly adamEpsilon: number;
  /** Each has its own default. */
  readonly weightDecay?: number | undefined;
  readonly momentum: number;
  readonly nesterov: boolean;
}

interface OptimizerRow {
  /** For people. */
  readonly title: string;
  readonly create: (parameters: readonly Variable[], settings: OptimizerSettings) => Optimizer;
}

const rows = {
  adam: {
    title: "Adam",
    create: (parameters, { adamBetas: betas, adamEpsilon: epsilon, weightDecay = 0 }) => {
      if (weightDecay > 0)
        throw new Error(`weightDecay: is for the optimizers adamw and sgd, got ${weightDecay} for adam`);
      return new Adam(parameters, { betas, epsilon });
    },
  },
  adamw: {
    title: "AdamW",
    create: (parameters, { adamBetas: betas, adamEpsilon: epsilon, weightDecay }) =>
      new AdamW(parameters, { betas, epsilon, weightDecay }),
  },
  sgd: {
    title: "SGD",
    create: (parameters, { momentum, nesterov, weightDecay }) =>
      new Sgd(parameters, { momentum, nesterov, weightDecay }),
  },
} as const satisfies Readonly<Record<string, OptimizerRow>>;

export type OptimizerName = keyof typeof rows;

/** The first is the default. */
export const optimizerNames = Object.keys(rows) as [OptimizerName, ...OptimizerName[]];

export function optimizerTitle(name: OptimizerName): string {
  return rows[name].title;
}

/** The optimizer of a name. @throws one line, if a setting is not for it */
export function newOptimizer(
  name: OptimizerName,
  parameters: readonly Variable[],
  settings: OptimizerSettings,
): Optimizer {
  return rows[name].create(parameters, settings);
}
