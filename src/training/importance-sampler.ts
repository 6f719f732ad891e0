import type { Update } from "../tensor/graph.ts";
import type { RandomStream } from "../tensor/random.ts";
import { full, iota, scalar, scatterAdd, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";

/** Losses of each timestep that are remembered. */
const MEMORY = 10;
/** Share of the draws that stays uniform, so that no timestep is forgotten. */
const UNIFORM_SHARE = 0.001;

/**
 * Draws timesteps where losses are large, section 3.3 of Nichol & Dhariwal (2021, 2102.09672):
 *
 *     L = E_(t ~ p)[L_t / (T p_t)],   p_t in proportion to sqrt(E[L_t^2])
 *
 * over the last ten L_t of each t, and uniform until all have ten: the loss is the same in the mean, with less noise if
 * it is the variational bound. What it remembers lives in variables, updated by the program that trains.
 */
export class ImportanceSampler {
  readonly timesteps: number;
  /** The last losses by timestep, each row filled around and around. */
  readonly #losses: Variable;
  /** Losses that each timestep has had. */
  readonly #counts: Variable;
  /** p_0 + ... + p_t. Rounded as it is, it decides what is drawn, so its own differences are the p_t. */
  readonly #cumulative: Variable;

  constructor(timesteps: number) {
    this.timesteps = timesteps;
    this.#losses = new Variable("schedule_sampler.losses", [timesteps, MEMORY]);
    this.#counts = new Variable("schedule_sampler.counts", [timesteps]);
    const uniform = Float32Array.from({ length: timesteps }, (_, t) => (t + 1) / timesteps);
    this.#cumulative = new Variable("schedule_sampler.cumulative", [timesteps], { data: uniform });
  }

  /** Everything that a checkpoint must hold, by name. */
  state(): Map<string, Variable> {
    return new Map([this.#losses, this.#counts, this.#cumulative].map((variable) => [variable.name, variable]));
  }

  /** @returns i32 timesteps, and what each one's loss counts in the mean, 1 / (T p_t); both [batch] */
  draw(random: RandomStream, batch: number): { readonly t: Tensor; readonly weights: Tensor } {
    const cumulative = valueOf(this.#cumulative);
    const total = cumulative.slice(0, this.timesteps - 1, this.timesteps);
    const place = random.uniform([batch]).multiply(total).reshape([batch, 1]);
    const below = cumulative.reshape([1, this.timesteps]).compare("le", place);
    const t = below
      .convert("i32")
      .sum(1)
      .minimum(this.timesteps - 1);
    const before = t.compare("eq", 0).select(0, cumulative.gather(t.subtract(1)));
    const probability = cumulative.gather(t).subtract(before).divide(total);
    return { t, weights: scalar(1 / this.timesteps).divide(probability) };
  }

  /** Remembers losses [batch] of timesteps, in their order. */
  record(t: Tensor, losses: Tensor): Update[] {
    const [batch] = t.shape;
    const isSame = t.reshape([batch, 1]).compare("eq", t.reshape([1, batch]));
    const [row, column] = [iota([batch, batch], 0), iota([batch, batch], 1)];
    const count = (which: Tensor): Tensor => isSame.and(which).convert("f32").sum(1);
    const [before, after] = [count(column.compare("lt", row)), count(column.compare("gt", row))];

    const counts = valueOf(this.#counts);
    const turn = counts.gather(t).add(before);
    const place = turn.subtract(turn.divide(MEMORY).floor().multiply(MEMORY)).convert("i32");
    // Of more than ten losses of a timestep the last ten stay; the others go nowhere.
    const cell = after.compare("lt", MEMORY).select(t.multiply(MEMORY).add(place), -1);
    const scatter = (values: Tensor): Tensor =>
      scatterAdd(cell, values, this.timesteps * MEMORY).reshape([this.timesteps, MEMORY]);
    const isNew = scatter(full([batch], 1)).compare("gt", 0);
    return [
      { variable: this.#losses, value: isNew.select(scatter(losses), valueOf(this.#losses)) },
      { variable: this.#counts, value: counts.add(scatterAdd(t, full([batch], 1), this.timesteps)) },
    ];
  }

  /**
   * Draws by all that is remembered from the next step on.
   *
   * @param recorded what {@link record} updates in the same program
   */
  refresh(recorded: readonly Update[] = []): Update {
    const now = (variable: Variable): Tensor =>
      recorded.find((update) => update.variable === variable)?.value ?? valueOf(variable);
    const roots = now(this.#losses).square().mean(1).sqrt();
    const uniform = 1 / this.timesteps;
    const byLoss = roots.divide(roots.sum().maximum(1e-30));
    const mixed = byLoss.multiply(1 - UNIFORM_SHARE).add(UNIFORM_SHARE * uniform);
    const isWarm = now(this.#counts).min().compare("ge", MEMORY);
    return { variable: this.#cumulative, value: cumulativeSum(isWarm.select(mixed, uniform)) };
  }
}

/** x_0, x_0 + x_1, ... of a vector: each round adds what is twice as far away (Hillis & Steele 1986). */
function cumulativeSum(x: Tensor): Tensor {
  let sum = x;
  for (let distance = 1; distance < x.size; distance *= 2) sum = sum.add(sum.pad([[distance, -distance]]));
  return sum;
}
