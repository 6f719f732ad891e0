import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import { defaultBackend } from "../../backend/default.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { DataLoader } from "../../data/loader.ts";
import { crossEntropyLoss } from "../../tensor/functions/functions.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { valueOf } from "../../tensor/tensor.ts";
import { Adam } from "../../optim/adam.ts";
import { learningRateAt } from "../../optim/learning-rate.ts";
import { representativeImages } from "../dataset-batches.ts";
import { FeatureExtractor } from "./feature-extractor.ts";
import { ImageClassifier } from "./image-classifier.ts";
import { checkOptions } from "../../config/rules.ts";

/** Images that features are measured on. */
const REPRESENTATIVES = 2048;

export interface ClassifierTrainingOptions {
  /** Needs labels. */
  readonly dataset: ImageDataset;
  /** Default 6. */
  readonly epochs?: number;
  /** Default 64. */
  readonly batchSize?: number;
  /** Of Adam, after a warm-up; it falls to a hundredth along half a cosine. Default 2e-3. */
  readonly learningRate?: number;
  /** All randomness follows from it; default 0. */
  readonly seed?: number;
  readonly backend?: Backend;
  readonly signal?: AbortSignal;
  /** Called after each step. */
  readonly onStep?: (progress: ClassifierTrainingProgress) => void;
}

const optionTypes = {
  dataset: "object",
  epochs: "number",
  batchSize: "number",
  learningRate: "number",
  seed: "number",
  backend: "object",
  signal: "object",
  onStep: "function",
} as const satisfies Record<keyof ClassifierTrainingOptions, string>;

export interface ClassifierTrainingProgress {
  /** From 1 to `steps`. */
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}

/**
 * Trains a classifier on the labels of a dataset with the cross-entropy loss. The same seed, dataset and kind of backend
 * give the same weights.
 */
export async function trainClassifier(options: ClassifierTrainingOptions): Promise<ImageClassifier> {
  checkOptions("trainClassifier", options, optionTypes);
  const { dataset, epochs = 6, batchSize = 64, learningRate = 2e-3, seed = 0 } = options;
  const { name, height, width, channels } = dataset;
  const classifier = new ImageClassifier({ name, height, width, channels, classNames: classNamesOf(dataset), seed });
  const loader = new DataLoader({ dataset, batchSize, seed });
  const steps = epochs * loader.batchesPerEpoch;
  const backend = options.backend ?? (await defaultBackend());
  const step = trainingStep(classifier, backend);
  const schedule = {
    learningRate,
    learningRateSchedule: "cosine",
    warmupSteps: 100,
    finalLearningRateFraction: 0.01,
  } as const;
  try {
    for (let index = 0; index < steps; index++) {
      options.signal?.throwIfAborted();
      const { images, labels } = await loader.next();
      const { loss } = await step({
        images: ndarray(new Float32Array(images), [batchSize, height, width, channels]),
        labels: ndarray(new Int32Array(labels ?? []), [batchSize]),
        learningRate: ndarray([learningRateAt(index, steps, schedule)], []),
      });
      options.onStep?.({ step: index + 1, steps, loss: loss.data[0] });
    }
  } finally {
    loader.close();
    step.dispose();
  }
  await normalizeFeatures(classifier, dataset, backend);
  return classifier;
}

/** Gives features a mean square of 1, so that distances between them are of a size to be read. */
export async function normalizeFeatures(
  classifier: ImageClassifier,
  dataset: ImageDataset,
  backend: Backend,
): Promise<void> {
  const extractor = new FeatureExtractor(classifier, backend);
  const { images } = await representativeImages(dataset, REPRESENTATIVES);
  const { data } = await extractor.extract(images);
  extractor.dispose();
  let squares = 0;
  for (const value of data) squares += value * value;
  if (squares > 0) await classifier.scaleFeatures(Math.sqrt(data.length / squares));
}

function trainingStep(classifier: ImageClassifier, backend: Backend) {
  const parameters = [...classifier.parameters().values()];
  const adam = new Adam(parameters);
  return compile(backend, ({ images, labels, learningRate }) => {
    const loss = crossEntropyLoss(classifier.forward(images), labels);
    return { outputs: { loss }, updates: adam.updates(grad(loss, parameters.map(valueOf)), learningRate) };
  });
}

/** Classes without names are called by their number. */
function classNamesOf({ name, labels, classNames }: ImageDataset): readonly string[] {
  if (!labels) throw new Error(`${name}: a classifier needs labels, and this dataset has none`);
  const count = labels.reduce((most, label) => Math.max(most, label), 0) + 1;
  return classNames ?? Array.from({ length: count }, (_, label) => String(label));
}
