import type { ImageDataset } from "../dataset.ts";
import { openPublished } from "./published.node.ts";
import type { PublishedDataset, PublishedOptions } from "./published.node.ts";

/** MNIST of LeCun, Cortes and Burges. Its first home no longer answers reliably, so the usual mirrors come first. */
const mnistFiles: PublishedDataset = {
  name: "mnist",
  classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  splits: {
    train: {
      labels: {
        name: "train-labels-idx1-ubyte",
        sha256: ["3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"],
      },
      images: {
        name: "train-images-idx3-ubyte",
        sha256: ["440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"],
      },
    },
    test: {
      labels: {
        name: "t10k-labels-idx1-ubyte",
        sha256: ["f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"],
      },
      images: {
        name: "t10k-images-idx3-ubyte",
        sha256: ["8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"],
      },
    },
  },
  homes: [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
  ],
  systemDirectories: [],
};

/**
 * Opens MNIST: 60,000 training or 10,000 test images of digits, 28 x 28, gray, with ten classes, found or fetched as
 * {@link openPublished} describes.
 */
export async function mnist(options?: PublishedOptions): Promise<ImageDataset> {
  return openPublished(mnistFiles, options);
}
