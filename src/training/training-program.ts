import type { Backend, Executable } from "../backend/backend.ts";
import { compilePositional as compile } from "../backend/compile-positional.ts";
import type { CompiledPositional as Compiled } from "../backend/compile-positional.ts";
import { OutOfMemory } from "../backend/common/out-of-memory.ts";
import type { Diffusion } from "../diffusion/diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Update } from "../tensor/graph.ts";
import { grad } from "../tensor/grad.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import type { Shape } from "../tensor/shape.ts";
import { full, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import { Adam } from "../optim/adam.ts";
import { emaUpdates } from "../optim/ema.ts";
import { clipByGlobalNorm } from "../optim/gradient.ts";
import { ImportanceSampler } from "./importance-sampler.ts";
import { LossScale, withLossScale } from "../optim/loss-scale.ts";
import type { TrainingSettings } from "../config/training-settings.ts";
import type { State } from "../optim/state.ts";
import type { DiffusionModel } from "../models/model.ts";
import { trainingLoss } from "./training-loss.ts";
import type { TrainingLoss, TrainingLossOptions } from "./training-loss.ts";

/** One micro-batch: its images and what its randomness follows from. */
export interface MicroBatch {
  /** f32 [batch, height, width, channels], bytes from 0 to 255 */
  readonly images: NdArray;
  /** What the model is told of the images; it may be told less than there is. */
  readonly conditions?: Readonly<Record<string, NdArray>> | undefined;
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
  readonly model: DiffusionModel;
  /** The model whose parameters are the averages of the other's. */
  readonly emaModel: DiffusionModel | undefined;
  readonly diffusion: Diffusion;
  readonly settings: TrainingSettings;
  /** Shapes of what the dataset tells of each image, by name; a condition of any length is told only if it is here. */
  readonly conditionShapes?: Readonly<Record<string, Shape>> | undefined;
}

export interface PreparedStep {
  /** Bytes that the program of a part works in. */
  readonly workspaceBytes: number;
  /** Equal parts that a micro-batch is split into. */
  readonly parts: number;
}

/**
 * Algorithm 1 of Ho et al. (2020, 2006.11239) as programs for a device: a step of one micro-batch is one program; a
 * step of several is one that adds up gradients and one that applies them. Nothing but the images goes to the device,
 * and nothing but the loss comes back.
 *
 * A micro-batch whose program does not fit into memory is split into parts. Each draws the random numbers that it
 * would have got in the whole, so the loss and the step are the same up to rounding.
 */
export class TrainingProgram {
  readonly #adam: Adam;
  readonly #scheduleSampler: ImportanceSampler | undefined;
  /** Where gradients are of half precision. */
  readonly #lossScale: LossScale | undefined;
  readonly #options: TrainingProgramOptions;
  readonly #parameters: ReadonlyMap<string, Variable>;
  readonly #told: readonly ToldCondition[];
  /** Sums of gradients over the parts of a step; zeros between steps. None where a step has only one part. */
  #accumulators: readonly Variable[];
  #parts = 1;
  readonly #step: { readonly plain: Compiled<"loss">; readonly withEstimate: Compiled<"loss"> };
  readonly #accumulate: { readonly plain: Compiled<"loss">; readonly withEstimate: Compiled<"loss"> };
  readonly #apply: Compiled<never>;

  constructor(options: TrainingProgramOptions) {
    this.#options = options;
    const { backend, model, settings } = options;
    this.#parameters = model.parameters();
    this.#told = conditionsTold(model, options.conditionShapes);
    const variables = [...this.#parameters.values()];
    this.#adam = new Adam(variables, { betas: settings.adamBetas, epsilon: settings.adamEpsilon });
    this.#scheduleSampler =
      settings.scheduleSampler === "importance" ? importanceSampler(options.diffusion) : undefined;
    this.#lossScale = backend.precision === "f16" ? new LossScale() : undefined;
    this.#accumulators = settings.gradientAccumulateEvery > 1 ? this.#zeros() : [];
    const both = (trace: (withEstimate: boolean) => Parameters<typeof compile<"loss">>[1]) => ({
      plain: compile(backend, trace(false)),
      withEstimate: compile(backend, trace(true)),
    });
    this.#step = both((withEstimate) => (images, key, learningRate, emaRate, ...told) => {
      const { loss, ...seen } = this.#loss(images, key, { withEstimate, conditions: this.#named(told) });
      const recorded = this.#record(seen);
      const updates = this.#updates(this.#gradients(loss), learningRate, emaRate);
      return { outputs: { loss }, updates: [...updates, ...recorded, ...this.#refresh(recorded)] };
    });
    this.#accumulate = both((withEstimate) => (images, key, firstImage, ...told) => {
      const { loss, ...seen } = this.#loss(images, key, { withEstimate, firstImage, conditions: this.#named(told) });
      return { outputs: { loss }, updates: [...this.#additions(this.#gradients(loss)), ...this.#record(seen)] };
    });
    this.#apply = compile(backend, (learningRate, emaRate) => {
      const updates = this.#updates(this.#accumulators.map(valueOf), learningRate, emaRate);
      const resets = this.#accumulators.map((variable) => ({ variable, value: full(variable.shape, 0) }));
      return { outputs: {}, updates: [...updates, ...resets, ...this.#refresh()] };
    });
  }

  /** Everything that a checkpoint must hold besides the models, by name. */
  state(): ReadonlyMap<string, Variable> {
    return new Map([
      ...this.#adam.state(),
      ...(this.#scheduleSampler?.state() ?? []),
      ...(this.#lossScale?.state() ?? []),
    ]);
  }

  /** A checkpoint's state as one for the variables of {@link state}. */
  adopt(state: State): State {
    return withLossScale(state, this.#lossScale !== undefined);
  }

  /**
   * Takes one optimizer step.
   *
   * @param microBatches gives the settings' `gradientAccumulateEvery` micro-batches, one after the other
   * @returns the mean loss of the micro-batches, before the step
   * @throws what `microBatches` throws, such as of a broken file; the parameters are then those of before
   */
  async run(microBatches: AsyncIterable<MicroBatch>, rates: StepRates): Promise<number> {
    try {
      return await this.#takeStep(microBatches, rates);
    } catch (error) {
      // The next step begins with empty sums. A lost device has none left.
      for (const sum of this.#accumulators) await sum.write(new Float32Array(sum.size)).catch(() => undefined);
      throw error;
    }
  }

  async #takeStep(microBatches: AsyncIterable<MicroBatch>, { learningRate, emaRate }: StepRates): Promise<number> {
    const rates = [ndarray([learningRate], []), ndarray([emaRate], [])];
    const programs = this.#isAccumulating ? this.#accumulate : this.#step;
    let sum = 0;
    for await (const microBatch of microBatches) {
      const program = microBatch.withEstimate ? programs.withEstimate : programs.plain;
      for (const { images, key, firstImage, conditions } of partsOf(microBatch, this.#parts)) {
        const told = this.#told.map(({ name }) => knownCondition(conditions, name));
        const { loss } = await program(images, key, ...(this.#isAccumulating ? [firstImage] : rates), ...told);
        sum += loss.data[0];
      }
    }
    if (this.#isAccumulating) await this.#apply(...rates);
    return sum * this.#share;
  }

  /**
   * Compiles the program of a micro-batch of these images, split into the fewest equal parts that fit into memory.
   *
   * @throws OutOfMemory if single images do not fit either
   */
  async prepare(imagesShape: Shape): Promise<PreparedStep> {
    const [batch, ...image] = imagesShape;
    try {
      const { workspaceBytes } = await this.#compile([batch / this.#parts, ...image]);
      return { workspaceBytes, parts: this.#parts };
    } catch (error) {
      const parts = moreParts(batch, this.#parts);
      if (!(error instanceof OutOfMemory) || parts === undefined) throw error;
      this.#parts = parts;
      if (!this.#isAccumulating) this.#accumulators = this.#zeros();
      return this.prepare(imagesShape);
    }
  }

  dispose(): void {
    for (const { plain, withEstimate } of [this.#step, this.#accumulate]) {
      plain.dispose();
      withEstimate.dispose();
    }
    this.#apply.dispose();
  }

  get #isAccumulating(): boolean {
    return this.#accumulators.length > 0;
  }

  /** What a part counts in the mean of a step. */
  get #share(): number {
    return 1 / (this.#parts * this.#options.settings.gradientAccumulateEvery);
  }

  #zeros(): Variable[] {
    return [...this.#parameters.values()].map(({ name, shape }) => new Variable(`${name}.accumulated`, shape));
  }

  /** Compiles the largest of the programs that take these images. */
  async #compile(imagesShape: Shape): Promise<Executable> {
    const { plain, withEstimate } = this.#isAccumulating ? this.#accumulate : this.#step;
    const { model } = this.#options;
    const program = model.conditions.selfCondition ? withEstimate : plain;
    const scalar = (dtype: DType) => ({ shape: [], dtype });
    const rest = this.#isAccumulating ? [scalar("u32")] : [scalar("f32"), scalar("f32")];
    const [batch] = imagesShape;
    const told = this.#told.map(({ shape, dtype }) => ({ shape: [batch, ...shape], dtype }));
    return program.prepare({ shape: imagesShape, dtype: "f32" }, { shape: [2], dtype: "u32" }, ...rest, ...told);
  }

  #named(told: readonly Tensor[]): Record<string, Tensor> {
    return Object.fromEntries(this.#told.map(({ name }, i) => [name, told[i]]));
  }

  #loss(
    images: Tensor,
    key: Tensor,
    options: Pick<TrainingLossOptions, "withEstimate" | "firstImage" | "conditions">,
  ): TrainingLoss {
    const { model, diffusion, settings } = this.#options;
    const { randomHorizontalFlip, condDropProb, lowresFactor } = settings;
    const scheduleSampler = this.#scheduleSampler;
    const always = { randomHorizontalFlip, condDropProb, lowresFactor, scheduleSampler };
    return trainingLoss(model, diffusion, images, key, { ...always, ...options });
  }

  #record({ t, losses }: Pick<TrainingLoss, "t" | "losses">): Update[] {
    return this.#scheduleSampler?.record(t, losses) ?? [];
  }

  #refresh(recorded?: readonly Update[]): Update[] {
    return this.#scheduleSampler ? [this.#scheduleSampler.refresh(recorded)] : [];
  }

  #gradients(loss: Tensor): Tensor[] {
    const parameters = [...this.#parameters.values()].map(valueOf);
    if (!this.#lossScale) return grad(loss, parameters);
    return this.#lossScale.unscale(grad(this.#lossScale.scale(loss), parameters));
  }

  /** Adds a part's share of the mean gradient. */
  #additions(gradients: readonly Tensor[]): Update[] {
    return this.#accumulators.map((variable, i) => ({
      variable,
      value: valueOf(variable).add(gradients[i].multiply(this.#share)),
    }));
  }

  #updates(gradients: readonly Tensor[], learningRate: Tensor, emaRate: Tensor): Update[] {
    const { emaModel, settings } = this.#options;
    const clipped = settings.maxGradNorm > 0 ? clipByGlobalNorm(gradients, settings.maxGradNorm) : gradients;
    const step = this.#adam.updates(clipped, learningRate);
    const updates = this.#lossScale?.updates(gradients, step) ?? step;
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

/** A condition that the programs take, in this order. */
interface ToldCondition {
  readonly name: string;
  /** Of one image. */
  readonly shape: Shape;
  readonly dtype: DType;
}

function conditionsTold(model: DiffusionModel, shapes: Readonly<Record<string, Shape>> = {}): ToldCondition[] {
  if (model.predicts === "classes") return [{ name: "classes", shape: [], dtype: "i32" }];
  return Object.entries(model.conditions).flatMap(([name, { shape, dtype, source }]): ToldCondition[] => {
    if (source !== "dataset" || shape === "image" || dtype === "time") return [];
    const ofImage = shape.map((size, axis) => size ?? shapes[name]?.[axis] ?? 0);
    return ofImage.includes(0) ? [] : [{ name, shape: ofImage, dtype }];
  });
}

function knownCondition(conditions: Readonly<Record<string, NdArray>>, name: string): NdArray {
  const condition = conditions[name];
  if (!condition) throw new Error(`internal: a micro-batch without ${name}`);
  return condition;
}

interface Part {
  readonly images: NdArray;
  readonly key: NdArray;
  readonly firstImage: NdArray;
  readonly conditions: Readonly<Record<string, NdArray>>;
}

function partsOf({ images, conditions = {}, seed, counter }: MicroBatch, parts: number): Part[] {
  const key = ndarray(Uint32Array.of(seed, counter), [2]);
  const count = images.shape[0] / parts;
  const named = Object.entries(conditions);
  return Array.from({ length: parts }, (_, part) => ({
    images: partOf(images, part, parts),
    key,
    firstImage: ndarray(Uint32Array.of(part * count), []),
    conditions: Object.fromEntries(named.map(([name, rows]) => [name, partOf(rows, part, parts)])),
  }));
}

function partOf({ data, dtype, shape: [batch, ...row] }: NdArray, part: number, parts: number): NdArray {
  const values = data.length / parts;
  return ndarray(data.subarray(part * values, (part + 1) * values), [batch / parts, ...row], dtype);
}

function importanceSampler(diffusion: Diffusion): ImportanceSampler {
  if (diffusion instanceof GaussianDiffusion) return new ImportanceSampler(diffusion.timesteps);
  throw new Error("scheduleSampler: importance is for a diffusion with timesteps");
}

/** The next number of equal parts to try, at least twice as many; undefined where there is none. */
function moreParts(batch: number, parts: number): number | undefined {
  for (let more = 2 * parts; more <= batch; more++) if (batch % more === 0) return more;
  return undefined;
}
