import type { Backend } from "../../backend/backend.ts";
import type { ImageDataset } from "../../data/dataset.ts";
import { ImageClassifier } from "./image-classifier.ts";
import { normalizeFeatures } from "./train-classifier.ts";

/** An {@link ImageClassifier} with the weights that it begins with. */
class UntrainedNetwork extends ImageClassifier {
  override get name(): string {
    return "untrained network";
  }
}

/**
 * Features for images that no trained network is at hand for: those of a network with random weights, the same for all
 * images of one size. They notice what is wrong with shapes, contrast and colours, if not what images mean; Naeem et al.
 * (2020, 2002.09797) recommend them where images are of a kind that pretrained networks have not seen.
 */
export async function untrainedFeatures(dataset: ImageDataset, backend: Backend): Promise<ImageClassifier> {
  const { name, height, width, channels } = dataset;
  const network = new UntrainedNetwork({ name, height, width, channels, classNames: [name], seed: 0 });
  await normalizeFeatures(network, dataset, backend);
  return network;
}
