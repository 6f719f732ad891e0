import type { ImageDataset } from "../data/dataset.ts";
import { fashionMnistClassifier, readClassifier } from "../evaluation/classifier-file.node.ts";
import type { FeatureNetwork } from "../evaluation/feature-network.ts";

/** The network that --features names, or the one that comes with unnoise; it must take the dataset's images. */
export async function openFeatures(path: string | undefined, dataset: ImageDataset): Promise<FeatureNetwork> {
  const network = path === undefined ? await fashionMnistClassifier() : await readClassifier(path);
  const { height, width, channels } = dataset;
  try {
    network.checkImageShape([height, width, channels]);
  } catch (error) {
    if (path !== undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}: name others with --features`, { cause: error });
  }
  return network;
}
