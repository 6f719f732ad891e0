import type { Backend, Executable, GroupExchange } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { Compiled } from "../../backend/compile.ts";
import { OutOfMemory } from "../../backend/common/out-of-memory.ts";
import type { TrainingSettings } from "../../checkpoint/training-settings.ts";
import type { State } from "../../optim/state.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Update } from "../../tensor/graph.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import { Tensor, full, valueOf } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import { alone } from "../collective/collective.ts";
import type { Collective } from "../collective/collective.ts";
import { gradientGroups } from "../collective/gradient-groups.ts";
import { moreParts, partsOf } from "./micro-batch.ts";
import type { MicroBatch } from "./micro-batch.ts";
import { ParameterUpdate } from "./parameter-update.ts";
import { TaskRecords } from "../task-records.ts";
import type { TrainingTask } from "../task.ts";
import { trainingLoss } from "../training-loss.ts";

export interface StepRates {
  readonly learningRate: number;
  /** How far the averages move towards the parameters, from 0 to 1. */
  readonly emaRate: number;
}

export interface TrainingProgramOptions {
  readonly backend: Backend;
  readonly task: TrainingTask;
  /** What is trained, by name; those that require no gradient stay as they are. */
  readonly parameters: ReadonlyMap<string, Variable>;
  /** Averages of the parameters, by the same names. */
  readonly averages?: ReadonlyMap<string, Variable> | undefined;
  readonly settings: TrainingSettings;
  /** The processes that each accumulate their share of every micro-batch; none without it. */
  readonly collective?: Collective | undefined;
}

export interface PreparedStep {
  /** Bytes that the program of a part works in. */
  readonly workspaceBytes: number;
  /** Equal parts that a micro-batch is split into. */
  readonly parts: number;
}

type Trace = Parameters<typeof compile<string>>[1];
/** A program for each variant of the task. */
type ByVariant = Readonly<Record<string, Compiled<string>>>;

/**
 * A training step as programs for a device: {@link accumulate} adds up gradients, and {@link apply} takes the step; where a
 * step has one micro-batch that no one stands between, both are one program, whose result is the same up to rounding.
 * Nothing but the images goes to the device, and nothing but the loss comes back.
 *
 * A micro-batch whose program does not fit into memory is split into parts. Each draws the random numbers that it
 * would have got in the whole, so the loss and the step are the same up to rounding.
 */
export class TrainingProgram {
  readonly #options: TrainingProgramOptions;
  readonly #collective: Collective;
  readonly #update: ParameterUpdate;
  readonly #records: TaskRecords;
  /** Sums of gradients over the parts of a step; zeros between steps. None where both programs are one. */
  #gradients: readonly Variable[] = [];
  /** Those that processes add up together. */
  #groups: readonly (readonly Variable[])[] | undefined;
  #parts = 1;
  readonly #step: ByVariant;
  readonly #accumulate: ByVariant;
  readonly #apply: Compiled<never, keyof StepRates>;
  readonly #measure: ByVariant;

  constructor(options: TrainingProgramOptions) {
    const { backend, task, settings, collective = alone } = options;
    const parameters = trained(options.parameters, options.parameters);
    const averages = options.averages && trained(options.averages, options.parameters);
    this.#options = { ...options, parameters, averages };
    this.#collective = collective;
    const update = new ParameterUpdate(parameters, averages, settings, backend.precision === "f16");
    this.#update = update;
    this.#records = new TaskRecords(backend, task, collective);
    if (settings.gradientAccumulateEvery > 1 || collective.size > 1) this.#keepGradients();
    const variants = (trace: (variant: string) => Trace): ByVariant =>
      Object.fromEntries(task.variants.map((variant) => [variant, compile(backend, trace(variant))]));
    const { randomHorizontalFlip } = settings;
    this.#step = variants((variant) => ({ images, key, learningRate, emaRate, ...inputs }) => {
      const options = { randomHorizontalFlip, variant, inputs };
      const { loss, observations } = trainingLoss(task, images, key, options);
      const records = this.#records.traced(observations).updates;
      const updates = update.updates(update.gradients(loss), learningRate, emaRate);
      return { outputs: { loss }, updates: [...updates, ...records, ...this.#refresh(records)] };
    });
    this.#accumulate = variants((variant) => ({ images, key, firstImage, ...inputs }) => {
      const options = { randomHorizontalFlip, variant, firstImage, inputs };
      const { loss, observations } = trainingLoss(task, images, key, options);
      const { outputs, updates } = this.#records.traced(observations);
      return { outputs: { loss, ...outputs }, updates: [...this.#additions(update.gradients(loss)), ...updates] };
    });
    this.#apply = compile(backend, ({ learningRate, emaRate }) => {
      const updates = update.updates(this.#gradients.map(valueOf), learningRate, emaRate);
      const resets = this.#gradients.map((variable) => ({ variable, value: full(variable.shape, 0) }));
      return { outputs: {}, updates: [...updates, ...resets, ...this.#refresh([])] };
    });
    this.#measure = variants((variant) => ({ images, key, firstImage, ...inputs }) => {
      const options = { randomHorizontalFlip: false, variant, firstImage, inputs };
      const { loss } = trainingLoss(task, images, key, { ...options, isMeasured: true });
      return { outputs: { loss } };
    });
  }

  /** Everything that a checkpoint must hold besides the parameters and averages, by name. */
  state(): ReadonlyMap<string, Variable> {
    return new Map([...this.#update.state(), ...(this.#options.task.state?.() ?? [])]);
  }

  /** A checkpoint's state as one for the variables of {@link state}. */
  adopt(state: State): State {
    return this.#update.adopt(state);
  }

  /**
   * The mean gradient of a step, in the order of the parameters: between {@link accumulate} and {@link apply} it may be
   * read and written. Zeros at other times.
   */
  get gradients(): readonly Variable[] {
    this.#keepGradients();
    return this.#gradients;
  }

  /**
   * Adds a micro-batch's share of the mean gradient of a step, which has `gradientAccumulateEvery` of them; of several
   * processes each gives its own images.
   *
   * @param reduces whether it is the last one of the step: then it adds up the gradients of the processes, too, as
   * {@link reduce} does, but where the device can while it computes them
   * @returns the mean loss of these images
   */
  async accumulate(microBatch: MicroBatch, reduces = false): Promise<number> {
    const { seed, counter, variant = this.#options.task.variantOf(seed, counter) } = microBatch;
    this.#keepGradients();
    const outputs: Record<string, NdArray>[] = [];
    const program = this.#accumulate[variant];
    for (const [part, { images, key, firstImage, inputs }] of partsOf(microBatch, this.#parts).entries()) {
      const given = { ...this.#inputs(inputs), images, key, firstImage };
      const isLast = reduces && part === this.#parts - 1 && this.#collective.size > 1;
      outputs.push(await (isLast ? program.exchanging(given, this.#reduction()) : program(given)));
    }
    await this.#records.gather(outputs);
    const sum = outputs.reduce((total, { loss }) => total + loss.data[0], 0);
    return sum / this.#parts;
  }

  /**
   * Adds up the gradients of the processes that train together, which then have the same. To be called between
   * {@link accumulate} and {@link apply}; nothing changes in a single process.
   */
  async reduce(): Promise<void> {
    if (this.#collective.size === 1) return;
    const { groups, change } = this.#reduction();
    for (const group of groups) await this.#options.backend.exchange(group, change);
  }

  /** Takes the step that {@link gradients} ask for, and sets them to zero. */
  async apply(rates: StepRates): Promise<void> {
    this.#keepGradients();
    await this.#apply(ratesOf(rates));
  }

  /** The mean loss of images as they are, with nothing dropped, flipped or learned. */
  async measure(microBatch: MicroBatch): Promise<number> {
    const { seed, counter, variant = this.#options.task.variantOf(seed, counter) } = microBatch;
    let sum = 0;
    const parts = microBatch.images.shape[0] % this.#parts === 0 ? this.#parts : microBatch.images.shape[0];
    for (const { images, key, firstImage, inputs } of partsOf(microBatch, parts)) {
      const { loss } = await this.#measure[variant]({ ...this.#inputs(inputs), images, key, firstImage });
      sum += loss.data[0];
    }
    return sum / parts;
  }

  /**
   * Takes one optimizer step, together with the other processes if there are some.
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
      for (const sum of this.#gradients) await sum.write(new Float32Array(sum.size)).catch(() => undefined);
      throw error;
    }
  }

  async #takeStep(microBatches: AsyncIterable<MicroBatch>, rates: StepRates): Promise<number> {
    const { gradientAccumulateEvery } = this.#options.settings;
    let sum = 0;
    for await (const microBatch of microBatches) {
      sum += await (this.#isAccumulating ? this.accumulate(microBatch) : this.#stepOf(microBatch, rates));
    }
    if (this.#isAccumulating) {
      // Not while gradients are computed: MPI then takes from the processors what it hides (docs/cluster.md).
      await this.reduce();
      await this.apply(rates);
    }
    return sum / gradientAccumulateEvery;
  }

  /** Both programs in one. */
  async #stepOf(microBatch: MicroBatch, rates: StepRates): Promise<number> {
    const { seed, counter, variant = this.#options.task.variantOf(seed, counter) } = microBatch;
    const [{ images, key, inputs }] = partsOf(microBatch, 1);
    const { loss } = await this.#step[variant]({ ...this.#inputs(inputs), images, key, ...ratesOf(rates) });
    return loss.data[0];
  }

  /**
   * Compiles the program of a micro-batch of these images, split into the fewest equal parts that fit into memory.
   *
   * @throws OutOfMemory if single images do not fit either
   */
  async prepare(imagesShape: Shape): Promise<PreparedStep> {
    const [batch, ...image] = imagesShape;
    if (this.#collective.size > 1 && this.#groups === undefined) {
      this.#groups = gradientGroups(this.gradients, this.#tracedGradients(image));
      // Where they come to the device together and alone, each group is one block.
      await this.#options.backend.exchange(this.#groups.flat(), async () => {});
    }
    try {
      const { workspaceBytes } = await this.#compile([batch / this.#parts, ...image]);
      return { workspaceBytes, parts: this.#parts };
    } catch (error) {
      const parts = moreParts(batch, this.#parts);
      if (!(error instanceof OutOfMemory) || parts === undefined) throw error;
      this.#parts = parts;
      this.#keepGradients();
      return this.prepare(imagesShape);
    }
  }

  /** Frees the programs, the gradients and all of {@link state}. */
  dispose(): void {
    for (const programs of [this.#step, this.#accumulate, this.#measure]) {
      for (const program of Object.values(programs)) program.dispose();
    }
    this.#apply.dispose();
    this.#records.dispose();
    for (const variable of [...this.#gradients, ...this.state().values()]) variable.dispose();
  }

  get #isAccumulating(): boolean {
    return this.#gradients.length > 0;
  }

  #keepGradients(): void {
    if (this.#isAccumulating) return;
    const { parameters } = this.#options;
    const isExchanged = this.#collective.size > 1;
    const sumOf = ({ name, shape }: Variable): Variable => new Variable(`${name}.grad`, shape, { isExchanged });
    this.#gradients = Array.from(parameters.values(), sumOf);
  }

  #reduction(): GroupExchange {
    const groups = this.#groups ?? [this.gradients];
    let reduced = 0;
    const change = async (blocks: readonly Float32Array[]): Promise<void> => {
      // Only the last one has nothing else going on.
      const isAside = ++reduced < groups.length;
      for (const block of blocks) await this.#collective.allReduce(block, isAside);
    };
    return { groups, change };
  }

  /** The gradients of a single image, for their order. @param image its shape */
  #tracedGradients(image: Shape): Tensor[] {
    const { task, settings } = this.#options;
    const leaf = (index: number, shape: Shape, dtype: DType): Tensor =>
      new Tensor({ kind: "input", index, shape, dtype });
    const inputs = Object.entries(task.inputs).map(([name, { shape, dtype }], i) => {
      return [name, leaf(2 + i, [1, ...shape], dtype)] as const;
    });
    const variant = task.variants[task.variants.length - 1];
    const { randomHorizontalFlip } = settings;
    const options = { randomHorizontalFlip, variant, inputs: Object.fromEntries(inputs) };
    const { loss } = trainingLoss(task, leaf(0, [1, ...image], "f32"), leaf(1, [2], "u32"), options);
    return this.#update.gradients(loss);
  }

  /** Compiles the largest of the programs that take these images. */
  async #compile(imagesShape: Shape): Promise<Executable> {
    const { task } = this.#options;
    const programs = this.#isAccumulating ? this.#accumulate : this.#step;
    const program = programs[task.variants[task.variants.length - 1]];
    const scalar = (dtype: DType) => ({ shape: [], dtype });
    const [batch] = imagesShape;
    const inputs = Object.entries(task.inputs).map(([name, { shape, dtype }]) => {
      return [name, { shape: [batch, ...shape], dtype }] as const;
    });
    return program.prepare({
      ...Object.fromEntries(inputs),
      images: { shape: imagesShape, dtype: "f32" },
      key: { shape: [2], dtype: "u32" },
      ...(this.#isAccumulating
        ? { firstImage: scalar("u32") }
        : { learningRate: scalar("f32"), emaRate: scalar("f32") }),
    });
  }

  /** The task's inputs, and none else. */
  #inputs(given: Readonly<Record<string, NdArray>>): Record<string, NdArray> {
    return Object.fromEntries(Object.keys(this.#options.task.inputs).map((name) => [name, given[name]]));
  }

  #refresh(records: readonly Update[]): Update[] {
    return this.#options.task.refresh?.(records) ?? [];
  }

  /** Adds a part's share of the mean gradient. */
  #additions(gradients: readonly Tensor[]): Update[] {
    const { gradientAccumulateEvery } = this.#options.settings;
    const share = 1 / (this.#parts * gradientAccumulateEvery * this.#collective.size);
    return this.#gradients.map((variable, i) => ({
      variable,
      value: valueOf(variable).add(gradients[i].multiply(share)),
    }));
  }
}

/** Those whose parameter requires a gradient. */
function trained(
  variables: ReadonlyMap<string, Variable>,
  parameters: ReadonlyMap<string, Variable>,
): ReadonlyMap<string, Variable> {
  return new Map([...variables].filter(([name]) => parameters.get(name)?.requiresGrad ?? true));
}

function ratesOf({ learningRate, emaRate }: StepRates): Record<keyof StepRates, NdArray> {
  return { learningRate: ndarray([learningRate], []), emaRate: ndarray([emaRate], []) };
}
