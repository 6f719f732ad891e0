import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import type { Compiled } from "../backend/compile.ts";
import type { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import type { Unet } from "../nn/unet.ts";
import type { Update } from "../tensor/graph.ts";
import { grad } from "../tensor/grad.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { Shape } from "../tensor/shape.ts";
import { full, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { Adam } from "./adam.ts";
import { emaUpdates } from "./ema.ts";
import { clipByGlobalNorm } from "./gradient.ts";
import type { TrainingSettings } from "./settings.ts";
import { trainingLoss } from "./training-loss.ts";

/** One micro-batch: its images and what its randomness follows from. */
export interface MicroBatch {
  /** f32 [batch, height, width, channels], bytes from 0 to 255 */
  readonly images: NdArray;
  readonly seed: number;
  readonly counter: number;
  /** Whether a model with self-condition gets its own estimate; see {@link trainingLoss}. */
  readonly withEstimate: boolean;
}

export interface StepRates {
  readonly learningRate: number;
  /** How far the averages move towards the parameters, from 0 to 1. */
  readonly emaRate: number;
}

export interface TrainingProgramOptions {
  readonly backend: Backend;
  readonly model: Unet;
  /** The model whose parameters are the averages of the other's. */
  readonly emaModel: Unet | undefined;
  readonly diffusion: GaussianDiffusion;
  readonly settings: TrainingSettings;
}

/**
 * Algorithm 1 of Ho et al. (2020, 2006.11239) as programs for a device: a step of one micro-batch is one program; a
 * step of several is one that adds up gradients and one that applies them. Nothing but the images goes to the device,
 * and nothing but the loss comes back.
 */
export class TrainingProgram {
  readonly adam: Adam;
  readonly #options: TrainingProgramOptions;
  readonly #parameters: ReadonlyMap<string, Variable>;
  /** Sums of gradients over the micro-batches of a step; zeros between steps. */
  readonly #accumulators: readonly Variable[];
  readonly #step: { readonly plain: Compiled<"loss">; readonly withEstimate: Compiled<"loss"> };
  readonly #accumulate: { readonly plain: Compiled<"loss">; readonly withEstimate: Compiled<"loss"> };
  readonly #apply: Compiled<never>;

  constructor(options: TrainingProgramOptions) {
    this.#options = options;
    const { backend, model, settings } = options;
    this.#parameters = model.parameters();
    const variables = [...this.#parameters.values()];
    this.adam = new Adam(variables, { betas: settings.adamBetas, epsilon: settings.adamEpsilon });
    this.#accumulators =
      settings.gradientAccumulateEvery > 1
        ? variables.map(({ name, shape }) => new Variable(`${name}.accumulated`, shape))
        : [];
    const both = (trace: (withEstimate: boolean) => Parameters<typeof compile<"loss">>[1]) => ({
      plain: compile(backend, trace(false)),
      withEstimate: compile(backend, trace(true)),
    });
    this.#step = both((withEstimate) => (images, key, learningRate, emaRate) => {
      const loss = this.#loss(images, key, withEstimate);
      return { outputs: { loss }, updates: this.#updates(this.#gradients(loss), learningRate, emaRate) };
    });
    this.#accumulate = both((withEstimate) => (images, key) => {
      const loss = this.#loss(images, key, withEstimate);
      return { outputs: { loss }, updates: this.#additions(this.#gradients(loss)) };
    });
    this.#apply = compile(backend, (learningRate, emaRate) => {
      const updates = this.#updates(this.#accumulators.map(valueOf), learningRate, emaRate);
      const resets = this.#accumulators.map((variable) => ({ variable, value: full(variable.shape, 0) }));
      return { outputs: {}, updates: [...updates, ...resets] };
    });
  }

  /**
   * Takes one optimizer step.
   *
   * @param microBatches gives the settings' `gradientAccumulateEvery` micro-batches, one after the other
   * @returns the mean loss of the micro-batches, before the step
   */
  async run(microBatches: AsyncIterable<MicroBatch>, { learningRate, emaRate }: StepRates): Promise<number> {
    const rates = [ndarray([learningRate], []), ndarray([emaRate], [])];
    const isAccumulating = this.#accumulators.length > 0;
    const programs = isAccumulating ? this.#accumulate : this.#step;
    let sum = 0;
    for await (const { images, seed, counter, withEstimate } of microBatches) {
      const key = ndarray(Uint32Array.of(seed, counter), [2]);
      const program = withEstimate ? programs.withEstimate : programs.plain;
      const { loss } = await program(images, key, ...(isAccumulating ? [] : rates));
      sum += loss.data[0];
    }
    if (isAccumulating) await this.#apply(...rates);
    return sum / this.#options.settings.gradientAccumulateEvery;
  }

  /** Compiles the program of a micro-batch of these images; resolves with the bytes that it works in. */
  async prepare(imagesShape: Shape): Promise<number> {
    const { plain } = this.#accumulators.length > 0 ? this.#accumulate : this.#step;
    const scalar = { shape: [], dtype: "f32" } as const;
    const rates = this.#accumulators.length > 0 ? [] : [scalar, scalar];
    const images = { shape: imagesShape, dtype: "f32" } as const;
    return (await plain.prepare(images, { shape: [2], dtype: "u32" }, ...rates)).workspaceBytes;
  }

  dispose(): void {
    for (const { plain, withEstimate } of [this.#step, this.#accumulate]) {
      plain.dispose();
      withEstimate.dispose();
    }
    this.#apply.dispose();
  }

  #loss(images: Tensor, key: Tensor, withEstimate: boolean): Tensor {
    const { model, diffusion, settings } = this.#options;
    const { randomHorizontalFlip } = settings;
    return trainingLoss(model, diffusion, images, key, { randomHorizontalFlip, withEstimate });
  }

  #gradients(loss: Tensor): Tensor[] {
    return grad(loss, [...this.#parameters.values()].map(valueOf));
  }

  /** Adds this micro-batch's share of the mean gradient. */
  #additions(gradients: readonly Tensor[]): Update[] {
    const share = 1 / this.#options.settings.gradientAccumulateEvery;
    return this.#accumulators.map((variable, i) => ({
      variable,
      value: valueOf(variable).add(gradients[i].multiply(share)),
    }));
  }

  #updates(gradients: readonly Tensor[], learningRate: Tensor, emaRate: Tensor): Update[] {
    const { emaModel, settings } = this.#options;
    const clipped = settings.maxGradNorm > 0 ? clipByGlobalNorm(gradients, settings.maxGradNorm) : gradients;
    const updates = this.adam.updates(clipped, learningRate);
    if (emaModel === undefined) return updates;
    const values = new Map(updates.map(({ variable, value }) => [variable, value]));
    const next = new Map(
      [...this.#parameters].flatMap(([name, variable]) => {
        const value = values.get(variable);
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
    return [...updates, ...emaUpdates(emaModel.parameters(), next, emaRate)];
  }
}
