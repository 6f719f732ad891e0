import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { betasOf } from "../checkpoint/diffusion-config.ts";
import { configProblems } from "../checkpoint/run-config.ts";
import type { RunConfig } from "../checkpoint/run-config.ts";
import type { LoaderState } from "../data/loader.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import type { DiffusionModel } from "../models/model.ts";
import { isExhausted } from "../optim/loss-scale.ts";
import { findNonFinite, readState, stateProblems, writeState } from "../optim/state.ts";
import type { State } from "../optim/state.ts";
import type { Variable } from "../tensor/variable.ts";
import type { TrainingProgram } from "./step/training-program.ts";

/** What a run is at a step, but for the numbers in its variables. */
export interface RunPlace {
  readonly step: number;
  readonly config: RunConfig;
  readonly position: LoaderState;
}

/** The variables of a run: what its checkpoints hold. */
export class RunState {
  readonly #model: DiffusionModel;
  readonly #averages: DiffusionModel | undefined;
  readonly #diffusion: Diffusion;
  readonly #program: TrainingProgram;

  constructor(
    model: DiffusionModel,
    averages: DiffusionModel | undefined,
    diffusion: Diffusion,
    program: TrainingProgram,
  ) {
    this.#model = model;
    this.#averages = averages;
    this.#diffusion = diffusion;
    this.#program = program;
  }

  /** All of them, in one order. */
  variables(): Variable[] {
    const averages = this.#averages?.parameters().values() ?? [];
    return [...this.#model.parameters().values(), ...averages, ...this.#program.state().values()];
  }

  async read(place: RunPlace): Promise<Checkpoint> {
    return {
      ...place,
      betas: betasOf(this.#diffusion)?.slice(),
      model: await readState(this.#model.parameters()),
      ema: this.#averages && (await readState(this.#averages.parameters())),
      optimizer: await readState(this.#program.state()),
    };
  }

  /**
   * Takes a checkpoint's numbers over.
   *
   * @param source of the checkpoint, for the message
   * @param before is called once nothing is in the way, before anything changes
   * @throws Error of one line if it does not fit; then nothing has changed
   */
  async write(config: RunConfig, checkpoint: Checkpoint, source: string, before: () => Promise<void>): Promise<void> {
    const { betas, model, ema, optimizer } = checkpoint;
    if (optimizer.size === 0)
      throw new Error(`${source}a checkpoint of the weights alone, for sampling: training goes on from a whole one`);
    const problems = configProblems(config, checkpoint.config);
    const own = betasOf(this.#diffusion);
    if (betas?.some((beta, t) => beta !== own?.[t])) problems.push("the betas differ");
    const parts: [ReadonlyMap<string, Variable>, State][] = [
      [this.#model.parameters(), model],
      [this.#program.state(), this.#program.adopt(optimizer)],
    ];
    // A run that keeps averages only from now on starts them at the parameters.
    if (this.#averages) parts.push([this.#averages.parameters(), ema ?? model]);
    if (problems.length === 0) problems.push(...parts.flatMap((part) => stateProblems(...part)));
    if (problems.length > 0)
      throw new Error(`${source}a checkpoint of another run, keep the two apart: ${list(problems)}`);
    await before();
    for (const [variables, state] of parts) await writeState(variables, state);
  }

  /** Starts a run: the averages at the parameters, and both at other weights where some are given. */
  async begin(weights: State | undefined): Promise<void> {
    if (weights) await this.#model.loadStateDict(weights, "Trainer: initFrom");
    if (this.#averages) await writeState(this.#averages.parameters(), await this.#model.stateDict());
  }
}

/** What makes a checkpoint useless, if something does. */
export function faultOf({ model, ema = new Map(), optimizer }: Checkpoint): string | undefined {
  const culprit = findNonFinite(model) ?? findNonFinite(ema) ?? findNonFinite(optimizer);
  if (culprit !== undefined) return `${culprit} is no longer finite`;
  return isExhausted(optimizer) ? "the gradients are no longer finite" : undefined;
}

function list(problems: readonly string[]): string {
  const shown = problems.slice(0, 3).join("; ");
  return problems.length > 3 ? `${shown}; and ${problems.length - 3} more` : shown;
}
