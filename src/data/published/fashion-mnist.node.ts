import { fileURLToPath } from "node:url";
import type { ImageDataset } from "../dataset.ts";
import { openPublished } from "./published.node.ts";
import type { PublishedDataset, PublishedOptions } from "./published.node.ts";

/** Fashion-MNIST of Xiao, Rasul and Vollgraf (arXiv:1708.07747). */
export const fashionMnistFiles: PublishedDataset = {
  name: "fashion-mnist",
  classNames: [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ],
  splits: {
    train: {
      labels: {
        name: "train-labels-idx1-ubyte",
        sha256: [
          "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
          "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ],
      },
      images: {
        name: "train-images-idx3-ubyte",
        sha256: [
          "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
          "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ],
      },
    },
    test: {
      labels: {
        name: "t10k-labels-idx1-ubyte",
        sha256: [
          "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
          "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ],
      },
      images: {
        name: "t10k-images-idx3-ubyte",
        sha256: [
          "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
          "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ],
      },
    },
  },
  homes: [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
  ],
  systemDirectories: ["/usr/share/datasets/fashion-mnist"],
  debianPackage: { name: "dataset-fashion-mnist", directory: "usr/share/datasets/fashion-mnist" },
  carried: { split: "test", directory: fileURLToPath(new URL("../../../data/fashion-mnist", import.meta.url)) },
};

/**
 * Opens Fashion-MNIST: 60,000 training or 10,000 test images of garments, 28 x 28, gray, with ten classes. Without
 * options it is found, or fetched and kept, as {@link openPublished} describes; where that fails the 10,000 test images
 * serve, which come with this package.
 *
 * @example
 * const dataset = await fashionMnist({ log: console.log });
 */
export async function fashionMnist(options?: PublishedOptions): Promise<ImageDataset> {
  return openPublished(fashionMnistFiles, options);
}
