import { existsSync } from "node:fs";
import { join } from "node:path";
import { cifarDataset, cifarFormat } from "./cifar.ts";
import type { ImageDataset } from "../dataset.ts";
import { readPacked } from "../packed-file.node.ts";
import { openPublished } from "./published.node.ts";
import type { PublishedDataset, PublishedOptions, Split } from "./published.node.ts";
import { parseTar, tarFormat } from "./tar.ts";

const batchNames: Readonly<Record<Split, readonly string[]>> = {
  train: [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`),
  test: ["test_batch.bin"],
};

const archive = {
  name: "cifar-10-binary.tar",
  sha256: ["c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"],
};

/** CIFAR-10 of Krizhevsky (2009, "Learning multiple layers of features from tiny images"), the binary version. */
const cifar10Files: PublishedDataset = {
  name: "cifar10",
  classNames: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  // One archive has both.
  splits: { train: { archive }, test: { archive } },
  decode: ({ archive: { bytes, source } }, split, about) => {
    const files = parseTar(bytes, source);
    const batches = batchNames[split].map((name) => {
      const content = files.get(`cifar-10-batches-bin/${name}`);
      if (content === undefined) throw new Error(`${source}: no cifar-10-batches-bin/${name} there`);
      return { bytes: content, source: `${source}: ${name}` };
    });
    return cifarDataset({ ...about, batches });
  },
  format: tarFormat(200_000_000),
  homes: ["https://www.cs.toronto.edu/~kriz/"],
  systemDirectories: [],
};

/** Whether a directory holds the archive, or what is in it. */
export function hasCifar10(directory: string): boolean {
  const names = [`${archive.name}.gz`, archive.name, batchNames.train[0]];
  return names.some((name) => existsSync(join(directory, name)));
}

/**
 * Opens CIFAR-10: 50,000 training or 10,000 test images, 32 x 32, in colour, with ten classes, found or fetched (170
 * MB) as {@link openPublished} describes. A named directory may also hold the batches of the unpacked archive.
 */
export async function cifar10(options: PublishedOptions = {}): Promise<ImageDataset> {
  const { directory, split = "train" } = options;
  const isUnpacked = directory !== undefined && existsSync(join(directory, batchNames[split][0]));
  if (!isUnpacked) return openPublished(cifar10Files, options);
  const { name, classNames } = cifar10Files;
  const batches = await Promise.all(batchNames[split].map((batch) => readPacked(join(directory, batch), cifarFormat)));
  return cifarDataset({ name: `${name} ${split}`, source: `the directory ${directory}`, batches, classNames });
}
