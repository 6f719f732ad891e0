import type { Backend } from "../../../backend/backend.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import { fashionMnistClassifier } from "../../../evaluation/features/classifier-file.node.ts";
import { decodeClassifier, isClassifierFile } from "../../../evaluation/features/classifier-file.ts";
import type { FeatureNetwork } from "../../../evaluation/features/feature-network.ts";
import { untrainedFeatures } from "../../../evaluation/features/untrained.ts";
import { InceptionV3 } from "../../../evaluation/features/inception.ts";
import { readSafetensors } from "../../../io/safetensors/safetensors.node.ts";
import { programName } from "../../program-name.ts";

/** What --features takes beside a file. */
export const UNTRAINED = "untrained";

/** The network that --features names, or the one that comes with unnoise; it must take the dataset's images. */
export async function openFeatures(
  path: string | undefined,
  dataset: ImageDataset,
  backend: Backend,
): Promise<FeatureNetwork> {
  if (path === UNTRAINED) return untrainedFeatures(dataset, backend);
  const network = path === undefined ? await fashionMnistClassifier() : await readFeatures(path);
  const { height, width, channels } = dataset;
  try {
    network.checkImageShape([height, width, channels]);
  } catch (error) {
    if (path !== undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const advice = `name others with --features, which "${programName()} train-classifier" makes if there are labels, or take --features ${UNTRAINED}`;
    throw new Error(`${message}: ${advice}`, { cause: error });
  }
  return network;
}

async function readFeatures(path: string): Promise<FeatureNetwork> {
  const file = await readSafetensors(path);
  if (isClassifierFile(file)) return decodeClassifier(file, path);
  const isInception = [...file.tensors.keys()].some((name) => name.startsWith("Mixed_"));
  if (isInception) return InceptionV3.fromSafetensors(file, path);
  throw new Error(`${path}: neither a classifier of train-classifier nor an Inception-v3`);
}
