import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { heightAndWidth } from "../../../config/image-size.ts";
import type { ImageSize } from "../../../config/image-size.ts";
import type { ImageFolder, ImageFolderOptions } from "../../../data/image-folder/image-folder.node.ts";
import type { ImageDataset } from "../../../data/dataset.ts";
import { fileError } from "../../../io/file-errors.node.ts";
import type { PublishedOptions, Split } from "../../../data/published/published.node.ts";
import { downloadNotes } from "../../output/download-notes.ts";
import { formatCount } from "../../output/format.ts";
import { folderReport } from "./folder-report.ts";

export interface DataSettings {
  /** fashion-mnist, mnist, cifar10, hub:<dataset>, or a path. */
  readonly data: string;
  /** The directory that a relative path starts from; the present one without it. */
  readonly startedIn?: string | undefined;
  /** Of a directory's images; chosen from them by default, as are the channels. */
  readonly imageSize?: ImageSize | undefined;
  readonly channels?: number | undefined;
  /** Of a published dataset, or of a directory that has a train/ and a test/; "train" by default. */
  readonly split?: Split;
  /** Whether a directory's subdirectories are classes, true by default. */
  readonly classes?: boolean;
  /** Leaves out images that cannot be read: --skip-broken. */
  readonly skipBroken?: boolean | undefined;
  /** What the sides of images must be divisible by, where their size is chosen. */
  readonly sizeMultiple?: number;
}

type Open = (options: PublishedOptions) => Promise<ImageDataset>;

/** What opens a published dataset, fetched when it is asked for. */
const published = {
  "fashion-mnist": async (): Promise<Open> =>
    (await import("../../../data/published/fashion-mnist.node.ts")).fashionMnist,
  mnist: async (): Promise<Open> => (await import("../../../data/published/mnist.node.ts")).mnist,
  cifar10: async (): Promise<Open> => (await import("../../../data/published/cifar10.node.ts")).cifar10,
} as const;

const publishedNames = Object.keys(published);

/** Whether this names a published dataset, which has a test split. */
export function isPublished(data: string): data is keyof typeof published {
  return publishedNames.includes(data);
}

/** What stands before the name of a dataset of the Hugging Face hub. */
export const HUB = "hub:";

/** Whether this is a name, the same wherever it is said, and not a path. */
function isName(data: string): boolean {
  return isPublished(data) || data.startsWith(HUB);
}

/**
 * Where data that are no published dataset are. A relative path starts where the run that names it was started, unless
 * there is nothing: then the run was moved here, and its data may have been too.
 */
export function dataPath({ data, startedIn }: Pick<DataSettings, "data" | "startedIn">): string {
  if (startedIn === undefined || isAbsolute(data)) return data;
  const path = resolve(startedIn, data);
  return startedIn === process.cwd() || !existsSync(path) ? data : relative(process.cwd(), path) || ".";
}

/** Whether two settings name the same data. */
export function isSameData(a: Pick<DataSettings, "data" | "startedIn">, b: typeof a): boolean {
  if (isName(a.data) || isName(b.data)) return a.data === b.data;
  return resolve(dataPath(a)) === resolve(dataPath(b));
}

/**
 * Opens what --data names: a published dataset, one of the hub, a directory of images, of an IDX pair or of CIFAR-10, or a
 * Parquet or IDX file.
 */
export async function openData(settings: DataSettings, say: (line: string) => void): Promise<ImageDataset> {
  const { split } = settings;
  if (isPublished(settings.data)) {
    const open = await published[settings.data]();
    return open({ split, onProgress: downloadNotes(say) });
  }
  if (settings.data.startsWith(HUB)) return openHubDataset(settings, say);
  const data = dataPath(settings);
  const kind = await dataKind(data);
  if (kind === undefined) {
    throw new Error(`--data must be ${publishedNames.join(", ")}, hub:<dataset>, or a path that exists, got ${data}`);
  }
  if (kind === "parquet") {
    const { parquetDataset } = await import("../../../data/parquet/parquet-dataset.node.ts");
    return parquetDataset({ ...collectionOptions(settings), files: [data], name: settings.data });
  }
  if (kind === "images") return openFolder(settings, say);
  if (kind === "cifar10") {
    const { cifar10 } = await import("../../../data/published/cifar10.node.ts");
    return cifar10({ directory: data, split });
  }
  const { idxPair } = await import("../../../data/idx.node.ts");
  const pair = kind === "idxPair" ? await findIdxPair(data) : undefined;
  return pair === undefined ? idxPair({ images: data }) : idxPair({ ...pair, name: data });
}

/** Whether --data names images of any size: those of a directory, of Parquet files, or of the hub. */
export async function isImageCollection(data: string): Promise<boolean> {
  return data.startsWith(HUB) || (!isPublished(data) && ["images", "parquet"].includes((await dataKind(data)) ?? ""));
}

/** `hub:owner/name`, or `hub:owner/name:config` where a repository has several datasets. */
async function openHubDataset(settings: DataSettings, say: (line: string) => void): Promise<ImageDataset> {
  const { hubDataset } = await import("../../../pretrained/hub-dataset.node.ts");
  const [id, config] = settings.data.slice(HUB.length).split(":");
  const onProgress = downloadNotes(say);
  const options = { ...collectionOptions(settings), config, split: settings.split, log: say, onProgress };
  const dataset = await hubDataset(id, options);
  say(`${dataset.name}: ${formatCount(dataset.length)} images from ${dataset.source}`);
  return { ...dataset, name: settings.data };
}

/** What is said about images of any size. */
function collectionOptions({ imageSize, channels, classes, sizeMultiple }: DataSettings) {
  const [height, width] = imageSize === undefined ? [] : heightAndWidth(imageSize);
  return { height, width, channels, classes, sizeMultiple };
}

/** What is at a path; undefined if nothing is. */
async function dataKind(path: string): Promise<"idxFile" | "idxPair" | "cifar10" | "images" | "parquet" | undefined> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined) return undefined;
  if (!status.isDirectory()) return path.endsWith(".parquet") ? "parquet" : "idxFile";
  if ((await findIdxPair(path)) !== undefined) return "idxPair";
  const { hasCifar10 } = await import("../../../data/published/cifar10.node.ts");
  return hasCifar10(path) ? "cifar10" : "images";
}

async function openFolder(settings: DataSettings, say: (line: string) => void): Promise<ImageFolder> {
  const { split, skipBroken } = settings;
  const options = { ...collectionOptions(settings), directory: dataPath(settings), split, skipBroken };
  const folder = await openImageFolder({ ...options, log: say });
  for (const line of folderReport(folder)) say(line);
  // A run knows it by the same name wherever it goes on.
  return { ...folder, name: settings.data };
}

/** The images of a directory. @throws Error of one line that names the broken ones, and the flag that leaves them out */
export async function openImageFolder(options: ImageFolderOptions): Promise<ImageFolder> {
  const { BrokenImages, imageFolder } = await import("../../../data/image-folder/image-folder.node.ts");
  try {
    return await imageFolder(options);
  } catch (error) {
    if (!(error instanceof BrokenImages) || options.skipBroken === true) throw error;
    throw new Error(`${error.message}; --skip-broken leaves them out`, { cause: error });
  }
}

/** The IDX files of a directory, those of the training split if there are several. */
async function findIdxPair(directory: string): Promise<{ images: string; labels: string | undefined } | undefined> {
  const found = await readdir(directory).catch((error: unknown) => {
    throw fileError(directory, "list", error);
  });
  const names = found.toSorted();
  const of = (kind: "images-idx3" | "labels-idx1"): string | undefined => {
    const alike = names.filter((name) => name.includes(`${kind}-ubyte`) && !name.startsWith("."));
    const name = alike.find((candidate) => candidate.startsWith("train")) ?? alike[0];
    return name && join(directory, name);
  };
  const images = of("images-idx3");
  if (images === undefined) return undefined;
  const labels = of("labels-idx1");
  const isPair = labels === images.replace("images-idx3", "labels-idx1");
  return { images, labels: isPair ? labels : undefined };
}
