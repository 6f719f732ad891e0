import { Adam, GaussianDiffusion, RandomStream, compile, grad, ndarray, valueOf } from "unnoise";
import type { Backend, Compiled, NdArray } from "unnoise";
import { timestep, word } from "../common/arrays.ts";
import { PointNetwork } from "./network.ts";

/** Points that the network learns from; drawn ones are repeated up to this number, so that one program serves them all. */
export const POINTS = 512;
export const BATCH = 256;
export const TIMESTEPS = 100;
/** Arrows in each direction. */
export const ARROWS = 15;
/** The plane goes from -EXTENT to EXTENT; points are drawn within -1 to 1. */
export const EXTENT = 2;

export function pointDiffusion(): GaussianDiffusion {
  return new GaussianDiffusion({ timesteps: TIMESTEPS, betaSchedule: "cosine" });
}

/** A network that learns where points lie: Algorithm 1 of Ho et al. (2020) by hand, and what the figure shows of it. */
export class PointLearner {
  readonly network: PointNetwork;
  readonly losses: number[] = [];
  readonly #backend: Backend;
  readonly #diffusion: GaussianDiffusion;
  readonly #seed: number;
  readonly #step: Compiled<"loss", "points" | "seed" | "count">;
  readonly #look: Compiled<"clean", "x" | "t">;
  readonly #grid: NdArray;
  #points: NdArray;

  /** @param points [count, 2] */
  constructor(backend: Backend, points: NdArray, seed: number, diffusion: GaussianDiffusion = pointDiffusion()) {
    this.#backend = backend;
    this.#diffusion = diffusion;
    this.#seed = seed;
    this.#points = repeated(points);
    const network = new PointNetwork({ seed });
    this.network = network;
    const parameters = [...network.parameters().values()];
    const adam = new Adam(parameters, { learningRate: 2e-3 });
    this.#step = compile(backend, ({ points, seed, count }) => {
      const random = new RandomStream([seed, count]);
      const x0 = points.gather(random.integers([BATCH], POINTS)).reshape([BATCH, 1, 1, 2]);
      const t = diffusion.drawTimes(random, BATCH);
      const noise = random.normal(x0.shape);
      const loss = diffusion.losses(network, x0, t, noise).mean();
      return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf))) };
    });
    this.#look = compile(backend, ({ x, t }) => ({
      outputs: { clean: diffusion.modelPredictions(network, x, t).xStart },
    }));
    this.#grid = gridOfPoints();
  }

  /** Goes on with other points. @param points [count, 2] */
  use(points: NdArray): void {
    this.#points = repeated(points);
  }

  /** Takes so many optimizer steps; the losses are kept. */
  async train(steps: number, signal?: AbortSignal): Promise<void> {
    for (let i = 0; i < steps; i++) {
      signal?.throwIfAborted();
      const { loss } = await this.#step({
        points: this.#points,
        seed: word(this.#seed),
        count: word(this.losses.length),
      });
      this.losses.push(loss.data[0]);
    }
  }

  /** Where the network would send each point of a grid, as steps towards the clean points that it sees, [ARROWS^2, 2]. */
  async arrows(t: number): Promise<{ readonly from: Float32Array; readonly to: Float32Array }> {
    const { clean } = await this.#look({ x: this.#grid, t: timestep(t) });
    return { from: Float32Array.from(this.#grid.data), to: Float32Array.from(clean.data) };
  }

  /** Points that the network draws by now, [count, 2] row by row; always from the same noise. */
  async sample(steps = 20, signal?: AbortSignal): Promise<Float32Array> {
    const { data } = await this.#diffusion.sample(this.network, {
      backend: this.#backend,
      batchSize: POINTS,
      imageSize: 1,
      seed: this.#seed,
      steps,
      sampler: "ddim",
      ...(signal && { signal }),
    });
    return Float32Array.from(data);
  }

  dispose(): void {
    this.#step.dispose();
    this.#look.dispose();
    this.#diffusion.dispose();
  }
}

/** Points in turn until there are {@link POINTS}. */
function repeated({ data, shape: [count] }: NdArray): NdArray {
  if (count === 0) throw new Error("points: needs at least one point, got none");
  return ndarray(
    Float32Array.from({ length: 2 * POINTS }, (_, i) => data[2 * (Math.floor(i / 2) % count) + (i % 2)]),
    [POINTS, 2],
  );
}

function gridOfPoints(): NdArray {
  const at = (i: number): number => EXTENT * ((2 * i + 1) / ARROWS - 1);
  const points = Array.from({ length: ARROWS ** 2 }, (_, i) => [at(i % ARROWS), at(Math.floor(i / ARROWS))]);
  return ndarray(Float32Array.from(points.flat()), [ARROWS ** 2, 1, 1, 2]);
}
