import { GaussianDiffusion, compile, randn } from "unnoise";
import type { Backend, BetaSchedule, Compiled, NdArray } from "unnoise";
import { timestep } from "../common/arrays.ts";

export interface NoiseSettings {
  readonly schedule: BetaSchedule;
  readonly timesteps: number;
  /** From 0, the least noise, to timesteps - 1. */
  readonly t: number;
  readonly seed: number;
}

/** Adds noise to pictures: x_t of Ho et al. (2020), equation 4, from x_0 at once. */
export class Noising {
  readonly #backend: Backend;
  readonly #jumps = new Map<string, Compiled<"x", "x" | "t" | "noise">>();
  #noise: { readonly key: string; readonly values: NdArray } | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** @param picture [1, height, width, channels] within [-1, 1] */
  async at(picture: NdArray, { schedule, timesteps, t, seed }: NoiseSettings): Promise<NdArray> {
    const jump = this.#jump(schedule, timesteps);
    const noise = this.#noiseOf(picture, seed);
    return (await jump({ x: picture, t: timestep(t), noise })).x;
  }

  #jump(schedule: BetaSchedule, timesteps: number): Compiled<"x", "x" | "t" | "noise"> {
    const key = `${schedule} ${timesteps}`;
    const known = this.#jumps.get(key);
    if (known) return known;
    const diffusion = new GaussianDiffusion({ timesteps, betaSchedule: schedule });
    const jump = compile(this.#backend, ({ x, t, noise }) => ({ outputs: { x: diffusion.qSample(x, t, noise) } }));
    this.#jumps.set(key, jump);
    return jump;
  }

  /** The same noise at every time, as only its share changes. */
  #noiseOf({ shape }: NdArray, seed: number): NdArray {
    const key = `${shape.join(" ")} ${seed}`;
    if (this.#noise?.key !== key) this.#noise = { key, values: randn(shape, seed) };
    return this.#noise.values;
  }
}
