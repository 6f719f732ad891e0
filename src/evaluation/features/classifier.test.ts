import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../backend/backend.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { memoryDataset } from "../../data/dataset.ts";
import { fashionMnist } from "../../data/published/fashion-mnist.node.ts";
import { fromBytes } from "../../io/images/pixels.ts";
import { parseSafetensors, serializeSafetensors } from "../../io/safetensors/safetensors.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { sliceImages } from "../byte-images.ts";
import { fashionMnistClassifier } from "./classifier-file.node.ts";
import { decodeClassifier, encodeClassifier } from "./classifier-file.ts";
import { Classifier } from "./classifier.ts";
import { datasetImages } from "../dataset-batches.ts";
import { FeatureExtractor } from "./feature-extractor.ts";
import { fingerprint } from "../fingerprint.ts";
import { ImageClassifier } from "./image-classifier.ts";
import { trainClassifier } from "./train-classifier.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await createWasmBackend({ threads: 2 });
});
afterAll(() => backend.close());

/** Stripes across and stripes down, of random phase and contrast. */
function stripes(length: number) {
  const images = Uint8Array.from({ length: length * 64 }, (_, i) => {
    const [image, row, column] = [Math.floor(i / 64), Math.floor(i / 8) % 8, i % 8];
    const along = image % 2 === 0 ? row : column;
    return (along + Math.floor(image / 2)) % 4 < 2 ? 60 + ((image * 37) % 190) : 0;
  });
  const labels = Int32Array.from({ length }, (_, i) => i % 2);
  return memoryDataset({ name: "stripes", images, shape: [length, 8, 8, 1], labels, classNames: ["across", "down"] });
}

describe("training", { timeout: 60_000 }, () => {
  const options = { dataset: stripes(64), epochs: 8, batchSize: 16, learningRate: 4e-3 };

  test("learns what labels mean, the same way with the same seed", async () => {
    const losses: number[] = [];
    const first = await trainClassifier({ ...options, backend, onStep: ({ loss }) => losses.push(loss) });
    expect(losses).toHaveLength(32);
    expect(losses[0]).toBeCloseTo(Math.log(2), 0);
    expect(await new Classifier(first, backend).accuracy(stripes(200))).toBe(1);
    const { data } = await new FeatureExtractor(first, backend).extractDataset(stripes(64));
    expect(Array.from(data).reduce((sum, value) => sum + value * value, 0) / data.length).toBeCloseTo(1, 5);
    const again = await trainClassifier({ ...options, backend });
    expect(await fingerprint(again)).toBe(await fingerprint(first));
    const other = await trainClassifier({ ...options, seed: 1, backend });
    expect(await fingerprint(other)).not.toBe(await fingerprint(first));
  });

  test("stops between two steps and needs labels", async () => {
    const controller = new AbortController();
    const steps: number[] = [];
    const onStep = ({ step }: { step: number }): void => {
      steps.push(step);
      if (step === 2) controller.abort(new Error("enough"));
    };
    await expect(trainClassifier({ ...options, backend, onStep, signal: controller.signal })).rejects.toThrow("enough");
    expect(steps).toEqual([1, 2]);
    const dataset = memoryDataset({ name: "plain", images: new Uint8Array(64), shape: [1, 8, 8, 1] });
    await expect(trainClassifier({ dataset, backend })).rejects.toThrow(
      "plain: a classifier needs labels, and this dataset has none",
    );
  });
});

describe("a classifier's file", () => {
  const classifier = new ImageClassifier({
    name: "toy",
    height: 8,
    width: 8,
    channels: 3,
    classNames: ["a", "b"],
    seed: 1,
  });

  test("brings back what it is, with weights in float16", async () => {
    const training = { epochs: 2, batchSize: 16, learningRate: 0.1, seed: 3 };
    const file = await encodeClassifier(classifier, { training, accuracy: { dataset: "toy test", share: 0.5 } });
    expect(new Set([...file.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(["F16"]));
    const bytes = serializeSafetensors(file.tensors, file.metadata);
    const read = await decodeClassifier(parseSafetensors(bytes), "toy.safetensors");
    expect(read.options).toEqual(classifier.options);
    const [before, after] = [await classifier.stateDict(), await read.stateDict()];
    for (const [name, { data }] of before) {
      const rounded = after.get(name)?.data ?? new Float32Array();
      const excess = Array.from(data, (value, i) => Math.abs(rounded[i] - value) - Math.abs(value) * 2 ** -11);
      expect(excess).toHaveLength(rounded.length);
      expect(Math.max(...excess)).toBeLessThanOrEqual(2 ** -25);
    }
    expect(await fingerprint(await decodeClassifier(await encodeClassifier(read), "again"))).toBe(
      await fingerprint(read),
    );
  });

  test("is refused in one line if it is something else", async () => {
    const file = await encodeClassifier(classifier);
    await expect(decodeClassifier({ ...file, metadata: {} }, "x.safetensors")).rejects.toThrow(
      "x.safetensors: no classifier of unnoise, but another safetensors file",
    );
    await expect(decodeClassifier({ ...file, metadata: { unnoise: '{"kind":"classifier"}' } }, "x")).rejects.toThrow(
      /^x: not a classifier that this version reads: format /,
    );
    file.tensors.delete("head.bias");
    await expect(decodeClassifier(file, "x.safetensors")).rejects.toThrow("x.safetensors: missing head.bias");
  });
});

describe("the classifier of garments that comes with unnoise", { timeout: 60_000 }, () => {
  /** Labels and features of the first test images by test/fixtures/evaluation/classifier.py. */
  interface Stored {
    readonly features: readonly (readonly number[])[];
    readonly logits: readonly (readonly number[])[];
  }

  test("computes what PyTorch computes with its weights", async () => {
    const path = new URL("../../../test/fixtures/evaluation/classifier.json", import.meta.url);
    const stored = JSON.parse(await readFile(path, "utf8")) as Stored;
    const network = await fashionMnistClassifier();
    const images = sliceImages(await datasetImages(await fashionMnist({ split: "test" })), 0, 4);
    const features = await new FeatureExtractor(network, backend).extract(images);
    features.data.forEach((value, i) => expect(value).toBeCloseTo(stored.features.flat()[i], 4));
    const { probabilities } = await new Classifier(network, backend).classify(images);
    stored.logits.forEach((logits, row) => {
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      logits.forEach((logit, k) => expect(probabilities.data[row * 10 + k]).toBeCloseTo(Math.exp(logit) / total, 4));
    });
  });

  test("names as many of the 10,000 test images rightly as its file says, more than 91 %", async () => {
    const file = new URL("../../../data/fashion-mnist-classifier/classifier.safetensors", import.meta.url);
    const { metadata } = parseSafetensors(await readFile(file));
    const { accuracy } = JSON.parse(metadata.unnoise) as { accuracy: { dataset: string; share: number } };
    expect(accuracy.dataset).toBe("fashion-mnist test");
    expect(accuracy.share).toBeGreaterThan(0.91);
    const classifier = new Classifier(await fashionMnistClassifier(), backend);
    expect(await classifier.accuracy(await fashionMnist({ split: "test" }))).toBeCloseTo(accuracy.share, 3);
  });

  test("takes samples as floats as well as bytes, any number of them, and no other sizes", async () => {
    const classifier = new Classifier(await fashionMnistClassifier(), backend);
    const bytes = sliceImages(await datasetImages(await fashionMnist({ split: "test" })), 0, 300);
    const { labels, probabilities } = await classifier.classify(bytes);
    expect(labels).toHaveLength(300);
    expect(probabilities.shape).toEqual([300, 10]);
    const floats = ndarray(fromBytes(bytes.data), bytes.shape);
    expect((await classifier.classify(floats)).probabilities.data).toEqual(probabilities.data);
    // The last 44 come in a batch that is filled up.
    const last = sliceImages(bytes, 299, 300);
    const alone = (await classifier.classify(last)).probabilities.data;
    alone.forEach((value, k) => expect(value).toBeCloseTo(probabilities.data[2990 + k], 6));
    await expect(classifier.classify({ ...bytes, shape: [75, 56, 56, 1] })).rejects.toThrow(
      "the features of the classifier of fashion-mnist train are for images [28, 28, 1], got [56, 56, 1]",
    );
  });
});
