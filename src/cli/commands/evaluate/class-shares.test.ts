import { expect, test } from "vitest";
import { createWasmBackend } from "../../../backend/wasm/wasm-backend.node.ts";
import { fashionMnist } from "../../../data/published/fashion-mnist.node.ts";
import { sliceImages } from "../../../evaluation/byte-images.ts";
import { fashionMnistClassifier } from "../../../evaluation/features/classifier-file.node.ts";
import { datasetImages } from "../../../evaluation/dataset-batches.ts";
import { InceptionV3 } from "../../../evaluation/features/inception.ts";
import { classShares } from "./class-shares.ts";

test("shares of classes are high for images of what was asked for, and 0 for others", { timeout: 60_000 }, async () => {
  const backend = await createWasmBackend({ threads: 2 });
  const network = await fashionMnistClassifier();
  const dataset = await fashionMnist({ split: "test" });
  const images = sliceImages(await datasetImages(dataset), 0, 500);
  const labels = Array.from(dataset.labels?.subarray(0, 500) ?? []);
  const shares = (await classShares(network, backend, images, labels, dataset.classNames)) ?? {};
  expect(Object.keys(shares)).toEqual(dataset.classNames);
  expect(shares.Trouser).toBeGreaterThan(0.9);
  expect(shares.Shirt).toBeLessThan(shares.Trouser);
  // Bags are called trousers by nobody.
  const bags = labels.flatMap((label, i) => (label === 8 ? [i] : []));
  const bagImages = sliceImages(images, bags[0], bags[0] + 1);
  expect(await classShares(network, backend, bagImages, [1], dataset.classNames)).toEqual({ Trouser: 0 });
  await backend.close();

  expect(await classShares(network, backend, images, undefined, dataset.classNames)).toBeUndefined();
  expect(await classShares(network, backend, images, labels, ["a", "b"])).toBeUndefined();
  expect(await classShares(new InceptionV3(), backend, images, labels, dataset.classNames)).toBeUndefined();
});
