import { readdir, stat } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { checkWritable } from "../../io/atomic.node.ts";
import { errorCode, fileError } from "../../io/file-errors.node.ts";
import { formatCount } from "./format.ts";

export interface Targets {
  readonly picture: string;
  readonly animation: string | undefined;
}

const PICTURES = [".png", ".jpg", ".jpeg", ".webp"];

export function isPictureName(path: string): boolean {
  return PICTURES.includes(extname(path).toLowerCase());
}

/** The picture's place, if its name has the ending of a picture. */
export function pictureTarget(picture: string, advice = ""): string {
  if (isPictureName(picture)) return picture;
  throw new Error(`--out must end in .png, .jpg or .webp, got ${picture}${advice}`);
}

/** The place that --gif names, or beside the picture. */
export function animationTarget(picture: string, gif: string | boolean | undefined): string | undefined {
  if (gif === undefined || gif === false) return undefined;
  const animation = typeof gif === "string" ? gif : `${picture.slice(0, -extname(picture).length)}.gif`;
  if ([".gif", ".webp"].includes(extname(animation).toLowerCase())) return animation;
  throw new Error(`--gif must end in .gif or .webp, got ${animation}`);
}

export async function checkPlaces({ picture, animation }: Targets): Promise<void> {
  for (const path of animation === undefined ? [picture] : [picture, animation]) await checkPlace(path);
}

/** Hours of work should not end at a file that cannot be written. */
export async function checkPlace(path: string): Promise<void> {
  const directory = dirname(path);
  const status = await stat(directory).catch(() => undefined);
  if (status?.isDirectory() !== true) throw new Error(`${path}: cannot write: ${directory} is no directory`);
  await checkWritable(path);
}

/** Nor at a directory that cannot be made or written into. */
export async function checkDirectory(path: string): Promise<void> {
  const status = await stat(path).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fileError(path, "write", error);
  });
  if (status === undefined && dirname(path) !== path) return checkDirectory(dirname(path));
  if (status?.isDirectory() !== true) throw new Error(`${path}: is a file, where a directory is needed`);
  await checkWritable(join(path, "file"));
}

/**
 * The place of single pictures, and what is to be said of pictures that are there already.
 *
 * @param names of the pictures that will be written there
 * @throws Error of one line if it is no directory and cannot become one
 */
export async function checkPictureDirectory(path: string, names: readonly string[]): Promise<string | undefined> {
  await checkDirectory(path);
  const there = await readdir(path).catch(() => []);
  const older = there.filter(isPictureName);
  if (older.length === 0) return undefined;
  const replaced = new Set(names);
  const count = older.filter((name) => replaced.has(name)).length;
  const pictures = older.length === 1 ? "1 picture" : `${formatCount(older.length)} pictures`;
  return `${path} has ${pictures} from before, ${count === 0 ? "which stay" : `of which ${formatCount(count)} will be replaced`}`;
}
