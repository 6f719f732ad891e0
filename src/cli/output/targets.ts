import { stat } from "node:fs/promises";
import { dirname, extname } from "node:path";

export interface Targets {
  readonly picture: string;
  readonly animation: string | undefined;
}

/** The picture's place, if its name has the ending of a picture. */
export function pictureTarget(picture: string, advice = ""): string {
  if ([".png", ".jpg", ".jpeg", ".webp"].includes(extname(picture).toLowerCase())) return picture;
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

/** Hours of work should not end at a directory that is not there. */
export async function checkPlace(path: string): Promise<void> {
  const directory = dirname(path);
  const status = await stat(directory).catch(() => undefined);
  if (status?.isDirectory() !== true) throw new Error(`${path}: cannot write: ${directory} is no directory`);
}
