import type { DType } from "../tensor/dtype.ts";
import type { Update } from "../tensor/graph.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Variable } from "../tensor/variable.ts";

/** What a step takes beside the images, for each of them. */
export interface TaskInput {
  /** Of one image's. */
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What the loss is taken of. */
export interface TaskBatch {
  /** Within [-1, 1], [batch, height, width, channels]. */
  readonly images: Tensor;
  /** The task's inputs by name, one row for each image. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** One of the task's variants. */
  readonly variant: string;
}

export interface TaskLoss {
  /** A scalar, the mean over the batch. */
  readonly loss: Tensor;
  /** What the task is to {@link TrainingTask.record} of each image: a row for each, by name. */
  readonly observations?: Readonly<Record<string, Tensor>> | undefined;
}

/**
 * What is trained: what a step is told of its images, and the loss. The trainer does all else. Denoising and the
 * classification of noisy images are two; `Trainer` takes one of your own as `task`.
 */
export interface TrainingTask {
  /** What a step takes beside the images; a dataset must tell it. */
  readonly inputs: Readonly<Record<string, TaskInput>>;
  /** Names of the programs that a step may run; the last takes the most memory. */
  readonly variants: readonly string[];
  /** Which of them a micro-batch runs; it may follow from its seed and counter alone. */
  variantOf(seed: number, counter: number): string;
  /**
   * Traces the loss of a batch.
   *
   * @param random all that is random comes from here, in the same order for the same numbers
   */
  loss(batch: TaskBatch, random: RandomStream): TaskLoss;
  /** What the task remembers from step to step, by name, for checkpoints; nothing without it. */
  state?(): ReadonlyMap<string, Variable>;
  /** What the task remembers after a batch: from the observations of its images, in their order. */
  record?(observations: Readonly<Record<string, Tensor>>): Update[];
  /** Called once a step: what follows from what its batches recorded. */
  refresh?(records: readonly Update[]): Update[];
}
