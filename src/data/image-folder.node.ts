import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { fileError } from "../io/file-errors.node.ts";
import { decodeImage } from "../io/images.node.ts";
import { checkRead } from "./dataset.ts";
import type { ImageDataset } from "./dataset.ts";

export interface ImageFolderOptions {
  readonly directory: string;
  readonly width: number;
  readonly height: number;
  /** 3 (RGB) by default, or 1 (gray). */
  readonly channels?: number | undefined;
  /** Bytes of decoded images that are kept in memory, 1 GiB by default. */
  readonly memoryBytes?: number | undefined;
}

const endings = new Set([".png", ".jpg", ".jpeg", ".webp"]);
/** Images that are decoded at a time. */
const parallel = 8;

/**
 * Opens a directory of PNG, JPEG and WebP files, including those in its subdirectories, as a dataset. Every image is
 * scaled and cut to one size as {@link decodeImage} does. If all images lie in subdirectories of the directory, and
 * there are at least two of these, then their names in alphabetical order are the classes.
 *
 * Images are decoded when they are first read. As many as fit into `memoryBytes` stay decoded; the others are decoded
 * again each time. `read` throws one line naming a file that is broken.
 *
 * @throws Error of one line if the directory cannot be listed or has no images.
 */
export async function imageFolder(options: ImageFolderOptions): Promise<ImageDataset> {
  const { directory, width, height, channels = 3, memoryBytes = 2 ** 30 } = options;
  for (const [name, size] of Object.entries({ width, height })) {
    if (!Number.isInteger(size) || size < 1)
      throw new Error(`imageFolder: ${name} must be a positive integer, got ${size}`);
  }
  if (channels !== 1 && channels !== 3) throw new Error(`imageFolder: channels must be 1 or 3, got ${channels}`);
  const paths = await listImages(directory);
  if (paths.length === 0) throw new Error(`${directory}: no PNG, JPEG or WebP images there`);
  const decode = async (path: string): Promise<Uint8Array> => decodeImage(path, { width, height, channels });
  const images = new KeptImages(paths, height * width * channels, memoryBytes, decode);
  const dataset: ImageDataset = {
    name: directory,
    source: `the directory ${directory}`,
    length: paths.length,
    height,
    width,
    channels,
    ...classesOf(directory, paths),
    read: async (indices, out) => {
      checkRead(dataset, indices, out);
      await images.read(indices, out);
    },
  };
  return dataset;
}

/** Paths of all images in a directory, in the order of their names, the same on every machine. */
async function listImages(directory: string): Promise<string[]> {
  const paths: string[] = [];
  const waiting = [directory];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    try {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) waiting.push(path);
        else if (await isImage(path, entry)) paths.push(path);
      }
    } catch (error) {
      throw fileError(folder, "list", error);
    }
  }
  return paths.toSorted((a, b) => (a < b ? -1 : 1));
}

async function isImage(path: string, entry: Dirent): Promise<boolean> {
  if (entry.name.startsWith(".") || !endings.has(extname(entry.name).toLowerCase())) return false;
  return entry.isFile() || (entry.isSymbolicLink() && (await stat(path)).isFile());
}

function classesOf(directory: string, paths: readonly string[]): Pick<ImageDataset, "labels" | "classNames"> {
  const folders = paths.map((path) => {
    const [folder, ...below] = relative(directory, path).split(sep);
    return below.length > 0 ? folder : undefined;
  });
  const names = [...new Set(folders)].filter((name) => name !== undefined).toSorted((a, b) => (a < b ? -1 : 1));
  if (folders.includes(undefined) || names.length < 2) return {};
  const labels = Int32Array.from(folders, (folder) => names.indexOf(folder ?? ""));
  return { labels, classNames: names };
}

/**
 * Decoded images, of which the first ones stay in memory. Training reads all images equally often, so that no rule
 * about which ones to keep would hit more often than this.
 */
class KeptImages {
  readonly #paths: readonly string[];
  readonly #imageBytes: number;
  readonly #decode: (path: string) => Promise<Uint8Array>;
  readonly #kept: Uint8Array;
  readonly #ready: Uint8Array;

  constructor(
    paths: readonly string[],
    imageBytes: number,
    memoryBytes: number,
    decode: (path: string) => Promise<Uint8Array>,
  ) {
    this.#paths = paths;
    this.#imageBytes = imageBytes;
    this.#decode = decode;
    const slots = Math.min(paths.length, Math.floor(memoryBytes / imageBytes));
    this.#kept = new Uint8Array(slots * imageBytes);
    this.#ready = new Uint8Array(slots);
  }

  async read(indices: ArrayLike<number>, out: Uint8Array): Promise<void> {
    let row = 0;
    const work = async (): Promise<void> => {
      while (row < indices.length) {
        const at = row++;
        out.set(await this.#image(indices[at]), at * this.#imageBytes);
      }
    };
    await Promise.all(Array.from({ length: Math.min(parallel, indices.length) }, work));
  }

  async #image(index: number): Promise<Uint8Array> {
    const slot = this.#kept.subarray(index * this.#imageBytes, (index + 1) * this.#imageBytes);
    if (this.#ready[index] === 1) return slot;
    const image = await this.#decode(this.#paths[index]);
    if (index < this.#ready.length) {
      slot.set(image);
      this.#ready[index] = 1;
    }
    return image;
  }
}
