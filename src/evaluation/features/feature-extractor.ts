import type { Backend } from "../../backend/backend.ts";
import { defaultBackend } from "../../backend/default.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { BatchedProgram } from "./batched-program.ts";
import { byteImages } from "../byte-images.ts";
import type { Images } from "../byte-images.ts";
import { datasetBatches } from "../dataset-batches.ts";
import type { FeatureNetwork } from "./feature-network.ts";

/** Runs a feature network over any number of images. */
export class FeatureExtractor {
  readonly network: FeatureNetwork;
  readonly backend: Backend;
  readonly #program: BatchedProgram<"features">;

  constructor(network: FeatureNetwork, backend: Backend) {
    this.network = network;
    this.backend = backend;
    this.#program = new BatchedProgram(backend, network.batchSize, (images) => ({
      features: network.features(images),
    }));
  }

  /** On the default backend, unless another is named. */
  static async create(network: FeatureNetwork, backend?: Backend): Promise<FeatureExtractor> {
    return new FeatureExtractor(network, backend ?? (await defaultBackend()));
  }

  /** @returns f32 [images, featureCount] */
  async extract(images: Images): Promise<NdArray> {
    const bytes = byteImages(images);
    this.network.checkImageShape(bytes.shape.slice(1));
    const { features } = await this.#program.run(bytes);
    const wrong = features.data.find((value) => !Number.isFinite(value));
    if (wrong === undefined) return features;
    throw new Error(`the features of the ${this.network.name} must be finite numbers, got ${wrong}: is it damaged?`);
  }

  /**
   * The features of a whole dataset, in its order.
   *
   * @param onProgress is told how many images are done
   * @returns f32 [dataset.length, featureCount]
   */
  async extractDataset(dataset: ImageDataset, onProgress?: (done: number) => void): Promise<NdArray> {
    const { featureCount } = this.network;
    const all = new Float32Array(dataset.length * featureCount);
    for await (const { start, images } of datasetBatches(dataset)) {
      const { data } = await this.extract(images);
      all.set(data, start * featureCount);
      onProgress?.(start + images.shape[0]);
    }
    return ndarray(all, [dataset.length, featureCount]);
  }

  dispose(): void {
    this.#program.dispose();
  }
}
