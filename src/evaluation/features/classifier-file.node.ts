import { fileURLToPath } from "node:url";
import { readSafetensors, writeSafetensors } from "../../io/safetensors/safetensors.node.ts";
import { decodeClassifier, encodeClassifier } from "./classifier-file.ts";
import type { ClassifierNotes } from "./classifier-file.ts";
import type { ImageClassifier } from "./image-classifier.ts";

const CARRIED = fileURLToPath(
  new URL("../../../data/fashion-mnist-classifier/classifier.safetensors", import.meta.url),
);

/** The classifier of Fashion-MNIST's garments that comes with this package; its README says how it was made. */
export async function fashionMnistClassifier(): Promise<ImageClassifier> {
  return readClassifier(CARRIED);
}

/** @throws Error of one line naming the file if it is missing, damaged, or no classifier of this library */
export async function readClassifier(path: string): Promise<ImageClassifier> {
  return decodeClassifier(await readSafetensors(path), path);
}

export async function writeClassifier(
  path: string,
  classifier: ImageClassifier,
  notes?: ClassifierNotes,
): Promise<void> {
  const { tensors, metadata } = await encodeClassifier(classifier, notes);
  await writeSafetensors(path, tensors, metadata);
}
