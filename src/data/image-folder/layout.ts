import type { FoundFile, LeftOut, Listing } from "./listing.node.ts";

export type FolderSplit = "train" | "test";

export interface LayoutOptions {
  /** Whether subfolders are classes, where they can be. */
  readonly classes: boolean;
  /** Which of `train/` and `test/` is read where there are both. */
  readonly split: FolderSplit;
}

/** Which of the images that were found make up a dataset. */
export interface Layout extends Listing {
  /** A class for each image, from 0; none without classes. */
  readonly labels?: Int32Array<ArrayBuffer>;
  /** In alphabetical order. */
  readonly classNames?: readonly string[];
  /** Why there are none, where someone could expect some: "6 images lie beside the folders". */
  readonly noClasses?: string;
}

const splits: Readonly<Record<FolderSplit, readonly string[]>> = {
  train: ["train", "training"],
  test: ["test", "testing", "val", "valid", "validation", "eval", "dev"],
};

/** Images beside the folders of classes that are left out; of more, the folders are no classes. */
const FEW = 0.1;

/**
 * Tells classes, splits and strays by the names of files. Folders that are one inside the other and hold nothing else
 * count as one. If what they hold is `train/` and `test/`, one of these is read. If it is two or more folders, these are
 * the classes.
 */
export function layoutOf({ images, leftOut }: Listing, { classes, split }: LayoutOptions): Layout {
  const place = descend(images, "");
  const chosen = splitFolder(images, place, split);
  if (chosen === undefined) {
    return classes ? classesBelow({ images, leftOut }, place) : { images, leftOut };
  }
  const [inside, outside] = partition(images, ({ name }) => name.startsWith(chosen));
  const others = foldersOf(outside, place);
  const reason = `outside of ${chosen}`;
  const rest = {
    images: inside,
    // A folder stands for all that is in it.
    leftOut: [
      ...leftOut,
      ...others.map((folder) => ({ path: folder, name: place + folder, reason })),
      ...outside.filter(({ name }) => folderOf(name, place) === undefined).map((file) => leave(file, reason)),
    ],
  };
  return classes ? classesBelow(rest, descend(inside, chosen)) : rest;
}

function classesBelow({ images, leftOut }: Listing, place: string): Layout {
  const [inside, beside] = partition(images, ({ name }) => folderOf(name, place) !== undefined);
  const classNames = foldersOf(inside, place);
  if (classNames.length < 2) return { images, leftOut };
  if (beside.length > FEW * images.length) {
    return { images, leftOut, noClasses: `${beside.length} images lie beside the folders` };
  }
  const strays: LeftOut[] = beside.map((file) => leave(file, "beside the folders of classes"));
  const labels = Int32Array.from(inside, ({ name }) => classNames.indexOf(folderOf(name, place) ?? ""));
  return { images: inside, leftOut: [...leftOut, ...strays], labels, classNames };
}

function leave({ path, name }: FoundFile, reason: string): LeftOut {
  return { path, name, reason };
}

/** The folder, such as "a/b/", below which images go different ways. */
function descend(images: readonly FoundFile[], place: string): string {
  const folders = foldersOf(images, place);
  const [only] = folders;
  const isOnly = folders.length === 1 && images.every(({ name }) => folderOf(name, place) === only);
  return isOnly ? descend(images, `${place}${only}/`) : place;
}

function splitFolder(images: readonly FoundFile[], place: string, split: FolderSplit): string | undefined {
  const folders = foldersOf(images, place);
  const found = (kind: FolderSplit): string | undefined =>
    splits[kind].flatMap((name) => folders.filter((folder) => folder.toLowerCase() === name)).at(0);
  const isSplit = found("train") !== undefined && found("test") !== undefined;
  return isSplit ? `${place}${found(split)}/` : undefined;
}

/** The folder that a file is in, directly below a place, if it is in one. */
function folderOf(name: string, place: string): string | undefined {
  const end = name.indexOf("/", place.length);
  return end === -1 ? undefined : name.slice(place.length, end);
}

function foldersOf(images: readonly FoundFile[], place: string): string[] {
  const names = new Set(images.map(({ name }) => folderOf(name, place)));
  return [...names].filter((name) => name !== undefined).toSorted((a, b) => (a < b ? -1 : 1));
}

function partition<T>(items: readonly T[], holds: (item: T) => boolean): [T[], T[]] {
  return [items.filter(holds), items.filter((item) => !holds(item))];
}
