import type { Backend } from "../../backend/backend.ts";
import { defaultBackend } from "../../backend/default.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { softmax } from "../../tensor/functions/functions.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { BatchedProgram } from "./batched-program.ts";
import { byteImages } from "../byte-images.ts";
import type { Images } from "../byte-images.ts";
import { datasetBatches } from "../dataset-batches.ts";
import type { ImageClassifier } from "./image-classifier.ts";

export interface Classification {
  /** The most likely class of each image. */
  readonly labels: Int32Array;
  /** f32 [images, classes], rows that sum to 1. */
  readonly probabilities: NdArray;
}

/**
 * Names what images show.
 *
 * @example
 * const classifier = await Classifier.create(await fashionMnistClassifier());
 * const { labels } = await classifier.classify(await diffusion.sample(model, { imageSize: 28 }));
 */
export class Classifier {
  readonly network: ImageClassifier;
  readonly #program: BatchedProgram<"probabilities">;

  constructor(network: ImageClassifier, backend: Backend) {
    this.network = network;
    this.#program = new BatchedProgram(backend, network.batchSize, (images) => ({
      probabilities: softmax(network.forward(images)),
    }));
  }

  /** On the default backend, unless another is named. */
  static async create(network: ImageClassifier, backend?: Backend): Promise<Classifier> {
    return new Classifier(network, backend ?? (await defaultBackend()));
  }

  async classify(images: Images): Promise<Classification> {
    const bytes = byteImages(images);
    this.network.checkImageShape(bytes.shape.slice(1));
    const { probabilities } = await this.#program.run(bytes);
    return { labels: mostLikely(probabilities), probabilities };
  }

  /** The share of a dataset's images whose class it names. */
  async accuracy(dataset: ImageDataset): Promise<number> {
    const { labels: truth, length, name } = dataset;
    if (!truth) throw new Error(`${name}: accuracy needs labels, and it has none`);
    let right = 0;
    for await (const { start, images } of datasetBatches(dataset)) {
      const { labels } = await this.classify(images);
      right += labels.filter((label, i) => label === truth[start + i]).length;
    }
    return right / length;
  }

  dispose(): void {
    this.#program.dispose();
  }
}

function mostLikely({ shape: [count, classes], data }: NdArray): Int32Array {
  return Int32Array.from({ length: count }, (_, row) => {
    const p = data.subarray(row * classes, (row + 1) * classes);
    return p.indexOf(Math.max(...p));
  });
}
