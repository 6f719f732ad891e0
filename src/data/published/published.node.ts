import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../io/atomic.node.ts";
import { errorLine } from "../../io/file-errors.node.ts";
import { cacheDirectory } from "./cache.node.ts";
import type { ImageDataset } from "../dataset.ts";
import { withDebianPackage } from "./debian-package.node.ts";
import { download } from "./download.node.ts";
import type { DownloadProgress } from "./download.node.ts";
import { idxDataset, idxFormat } from "../idx.ts";
import type { FileFormat } from "../../io/file-format.ts";
import { readPacked, unpack } from "../packed-file.node.ts";
import type { PackedFile } from "../packed-file.node.ts";
import { checkOptions } from "../../config/rules.ts";

export type Split = "train" | "test";

/** One file of a published dataset. */
export interface PublishedFile {
  /** Without the ending .gz. */
  readonly name: string;
  /** SHA-256 of the gzipped file, of the unpacked one, or both: Debian has packed some of them anew. */
  readonly sha256: readonly string[];
}

/** The files of a split, by what they are to `decode`; the first of them are looked for first. */
type Parts<File> = Readonly<Record<string, File>>;

/** A published dataset, and every place it may be found in. */
export interface PublishedDataset {
  readonly name: string;
  readonly classNames: readonly string[];
  readonly splits: Readonly<Record<Split, Parts<PublishedFile>>>;
  /** Makes a dataset of a split's files; of an IDX pair `images` and `labels` by default. */
  readonly decode?: ((files: Parts<PackedFile>, split: Split, about: Description) => ImageDataset) | undefined;
  /** Of the files, no longer compressed; IDX no larger than those of the MNIST family by default. */
  readonly format?: FileFormat | undefined;
  /** Addresses that the files' names (with .gz) are appended to. */
  readonly homes: readonly string[];
  /** Where an operating system's package installs the files. */
  readonly systemDirectories: readonly string[];
  readonly debianPackage?: { readonly name: string; readonly directory: string } | undefined;
  /** One split that this package carries, for machines without a network. */
  readonly carried?: { readonly split: Split; readonly directory: string } | undefined;
}

/** What a dataset is told about itself. */
type Description = Pick<PublishedDataset, "name" | "classNames"> & { readonly source: string };

export interface PublishedOptions {
  /** A directory with the published files, gzipped or not. Nothing else is tried then, and no checksum is asked for. */
  readonly directory?: string | undefined;
  /** Where files are looked for and kept, {@link cacheDirectory} by default; false to keep nothing. */
  readonly cache?: string | false | undefined;
  /** "train" by default. */
  readonly split?: Split | undefined;
  /** Tries no network. */
  readonly offline?: boolean | undefined;
  /** Is given one line for each place that is tried. */
  readonly log?: ((line: string) => void) | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** A place that may have a split's files. */
interface Place {
  readonly description: string;
  /** What its errors begin with: a path or an address. */
  readonly where: string;
  readonly split: Split;
  /** Whether what was found belongs into the cache. */
  readonly keep: boolean;
  readonly open: () => Promise<Parts<PackedFile>>;
}

/** The largest unpacked file of the MNIST family has 60,000 images. */
const mnistFormat: FileFormat = { ...idxFormat, maxBytes: 16 + 60_000 * 28 * 28 };

/**
 * Opens one split of a published dataset. Tried in this order: the directory that the caller names, the cache, the
 * system's directories, a download from the homes, the Debian package, and last the split that this package carries,
 * which then may be another one than asked for (if it is the one, it comes before the network). Everything but a named
 * directory is checked against the published checksums. The dataset's `source` says what was used.
 *
 * @throws Error of one line if no place has it.
 */
export async function openPublished(dataset: PublishedDataset, options: PublishedOptions = {}): Promise<ImageDataset> {
  checkOptions(dataset.name, options, {
    directory: "string",
    cache: "any",
    split: "string",
    offline: "boolean",
    log: "function",
    onProgress: "function",
  });
  const { directory, split = "train", log } = options;
  if (!["train", "test"].includes(split)) throw new Error(`${dataset.name}: split must be train or test, got ${split}`);
  if (directory !== undefined) {
    const files = await readFiles(dataset, split, async (file) =>
      readFromDirectory(directory, file, dataset.format ?? idxFormat),
    );
    const opened = datasetOf(dataset, split, `the directory ${directory}`, files);
    log?.(usedLine(dataset, opened, split));
    return opened;
  }
  const problems: string[] = [];
  for (const place of placesOf(dataset, options)) {
    try {
      const files = await place.open();
      const opened = datasetOf(dataset, place.split, place.description, files);
      if (place.keep) await keepFiles(dataset, place.split, files, options);
      log?.(usedLine(dataset, opened, place.split));
      return opened;
    } catch (error) {
      const line = errorLine(error);
      problems.push(line.startsWith(place.where) ? line : `${place.description}: ${line}`);
      log?.(`${dataset.name}: not from ${problems.at(-1)}`);
    }
  }
  throw new Error(`${dataset.name}: found nowhere: ${problems.join("; ")}`);
}

function usedLine({ name }: PublishedDataset, { length, source }: ImageDataset, split: Split): string {
  return `${name}: ${length.toLocaleString("en")} ${split} images from ${source}`;
}

function placesOf(dataset: PublishedDataset, options: PublishedOptions): Place[] {
  const { split = "train", cache = cacheDirectory(), offline = false, onProgress } = options;
  const directoryPlace = (where: string, split: Split, description = where): Place => ({
    description,
    where,
    split,
    keep: false,
    open: async () => readCheckedDirectory(dataset, split, where),
  });
  const local = dataset.systemDirectories.map((directory) => directoryPlace(directory, split));
  if (cache !== false) {
    const directory = join(cache, dataset.name);
    local.unshift(directoryPlace(directory, split, `the cache ${directory}`));
  }
  const remote = offline ? [] : remotePlaces(dataset, split, onProgress);
  if (!dataset.carried) return [...local, ...remote];
  const { carried } = dataset;
  const own = directoryPlace(carried.directory, carried.split, `the ${carried.split} split carried with unnoise`);
  return carried.split === split ? [...local, own, ...remote] : [...local, ...remote, own];
}

function remotePlaces(dataset: PublishedDataset, split: Split, onProgress: PublishedOptions["onProgress"]): Place[] {
  const places: Place[] = dataset.homes.map((home) => ({
    description: home,
    where: home,
    split,
    keep: true,
    open: async () =>
      readFiles(dataset, split, async (file) => {
        return checked(file, await fetchFile(home, file, dataset.format ?? mnistFormat, onProgress));
      }),
  }));
  const { debianPackage } = dataset;
  if (debianPackage) {
    const { name, directory } = debianPackage;
    const description = `the Debian package ${name}`;
    places.push({
      description,
      where: description,
      split,
      keep: true,
      open: async () =>
        withDebianPackage(name, async (root) => readCheckedDirectory(dataset, split, join(root, directory))),
    });
  }
  return places;
}

async function readFiles(
  dataset: PublishedDataset,
  split: Split,
  read: (file: PublishedFile) => Promise<PackedFile>,
): Promise<Parts<PackedFile>> {
  const files: Record<string, PackedFile> = {};
  for (const [part, file] of Object.entries(dataset.splits[split])) files[part] = await read(file);
  return files;
}

async function readCheckedDirectory(
  dataset: PublishedDataset,
  split: Split,
  directory: string,
): Promise<Parts<PackedFile>> {
  return readFiles(dataset, split, async (file) =>
    checked(file, await readFromDirectory(directory, file, dataset.format ?? idxFormat)),
  );
}

async function readFromDirectory(directory: string, { name }: PublishedFile, format: FileFormat): Promise<PackedFile> {
  const path = [`${name}.gz`, name].map((file) => join(directory, file)).find((file) => existsSync(file));
  if (path === undefined) throw new Error(`${directory}: no ${name}.gz or ${name} there`);
  return readPacked(path, format);
}

async function fetchFile(
  home: string,
  { name }: PublishedFile,
  format: FileFormat,
  onProgress: PublishedOptions["onProgress"],
): Promise<PackedFile> {
  const source = `${home}${name}.gz`;
  const packed = await download(source, { maxBytes: format.maxBytes, onProgress });
  return { packed, bytes: await unpack(packed, source, format), source };
}

/** The file, if it is the published one. */
function checked(file: PublishedFile, found: PackedFile): PackedFile {
  const matches = [found.packed, found.bytes].some((bytes) =>
    file.sha256.includes(createHash("sha256").update(bytes).digest("hex")),
  );
  if (!matches) throw new Error(`${found.source}: not the published file, its checksum differs`);
  return found;
}

function datasetOf(dataset: PublishedDataset, split: Split, source: string, files: Parts<PackedFile>): ImageDataset {
  const { name, classNames, decode = idxPairOf } = dataset;
  return decode(files, split, { name: `${name} ${split}`, source, classNames });
}

function idxPairOf({ images, labels }: Parts<PackedFile>, _split: Split, about: Description): ImageDataset {
  return idxDataset({ ...about, images, labels });
}

/** Puts files into the cache. A cache that cannot be written costs only the next download. */
async function keepFiles(
  dataset: PublishedDataset,
  split: Split,
  files: Parts<PackedFile>,
  { cache = cacheDirectory(), log }: PublishedOptions,
): Promise<void> {
  if (cache === false) return;
  const directory = join(cache, dataset.name);
  try {
    await mkdir(directory, { recursive: true });
    for (const [part, { packed, bytes }] of Object.entries(files)) {
      const { name } = dataset.splits[split][part];
      await writeFileAtomic(join(directory, packed === bytes ? name : `${name}.gz`), packed);
    }
  } catch (error) {
    log?.(`${dataset.name}: no copy kept: ${errorLine(error)}`);
  }
}
