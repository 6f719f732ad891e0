import type { Diffusion } from "../../diffusion/diffusion.ts";
import { GaussianDiffusion } from "../../diffusion/gaussian-diffusion.ts";
import type { Update } from "../../tensor/graph.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { ImportanceSampler } from "../importance-sampler.ts";
import type { TaskLoss } from "../task.ts";

/** Clean images, the time of each, and the noise added to them. */
export interface Noised {
  readonly xStart: Tensor;
  readonly t: Tensor;
  readonly noise: Tensor;
  /** What each image's loss counts in the mean; 1 without. */
  readonly weights?: Tensor | undefined;
}

/** Lines 3 and 4 of Algorithm 1 of Ho et al. (2020), with timesteps that are drawn evenly or by their losses. */
export class Noising {
  readonly #diffusion: Diffusion;
  readonly #sampler: ImportanceSampler | undefined;

  /** @throws one line, if the diffusion has no timesteps to draw by importance */
  constructor(diffusion: Diffusion, scheduleSampler: "uniform" | "importance") {
    this.#diffusion = diffusion;
    this.#sampler = scheduleSampler === "importance" ? importanceSampler(diffusion) : undefined;
  }

  draw(xStart: Tensor, random: RandomStream): Noised {
    const [batch] = xStart.shape;
    const drawn = this.#sampler?.draw(random, batch);
    const t = drawn?.t ?? this.#diffusion.drawTimes(random, batch);
    return { xStart, t, noise: random.normal(xStart.shape), weights: drawn?.weights };
  }

  /** The loss of a batch from those of its images, [batch]. */
  lossOf({ t, weights }: Noised, losses: Tensor): TaskLoss {
    const loss = (weights ? losses.multiply(weights) : losses).mean();
    return { loss, observations: this.#sampler && { t, losses } };
  }

  record({ t, losses }: Readonly<Record<string, Tensor>>): Update[] {
    return this.#sampler?.record(t, losses) ?? [];
  }

  state() {
    return this.#sampler?.state() ?? new Map();
  }

  refresh(records: readonly Update[]): Update[] {
    return this.#sampler ? [this.#sampler.refresh(records)] : [];
  }
}

function importanceSampler(diffusion: Diffusion): ImportanceSampler {
  if (diffusion instanceof GaussianDiffusion) return new ImportanceSampler(diffusion.timesteps);
  throw new Error("scheduleSampler: importance is for a diffusion with timesteps");
}
