import { whileTraining } from "../nn/dropout.ts";
import { RandomStream } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { TaskBatch, TaskLoss, TrainingTask } from "./task.ts";

export interface TrainingLossOptions extends Partial<Pick<TaskBatch, "inputs" | "variant">> {
  /** Mirrors half of the images, picked at random. */
  readonly randomHorizontalFlip: boolean;
  /** u32 scalar: these images are those from this one on of a larger batch, and get what is random there; 0 without. */
  readonly firstImage?: Tensor | undefined;
  /** Whether nothing is dropped, as where the loss is only measured; default false. */
  readonly isMeasured?: boolean;
}

/**
 * From bytes to the loss of a task: all that is random is drawn from the key.
 *
 * @param bytes f32 [batch, height, width, channels] from 0 to 255
 * @param key u32 [2]
 */
export function trainingLoss(task: TrainingTask, bytes: Tensor, key: Tensor, options: TrainingLossOptions): TaskLoss {
  const { randomHorizontalFlip, firstImage, inputs = {}, variant = task.variants[0], isMeasured = false } = options;
  const random = new RandomStream([word(key, 0), word(key, 1)], firstImage);
  const mirrored = randomHorizontalFlip ? flipRandomly(bytes, random) : bytes;
  const images = mirrored.divide(255).multiply(2).subtract(1);
  const trace = (): TaskLoss => task.loss({ images, inputs, variant }, random);
  return isMeasured ? trace() : whileTraining(random, trace);
}

/** Mirrors each image left to right with probability 1/2. */
function flipRandomly(images: Tensor, random: RandomStream): Tensor {
  const batch = images.shape[0];
  const isFlipped = random.uniform([batch]).compare("lt", 0.5).reshape([batch, 1, 1, 1]);
  return isFlipped.select(images.reverse(2), images);
}

function word(key: Tensor, index: number): Tensor {
  return key.slice(0, index, index + 1).reshape([]);
}
