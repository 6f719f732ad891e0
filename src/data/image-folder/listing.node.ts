import type { Dirent } from "node:fs";
import { existsSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { KIND_BYTES, contentKind, isPicture } from "../../io/content-kind.ts";
import { errorCode, fileError } from "../../io/file-errors.node.ts";
import { readStart, withRegularFile } from "../../io/regular-file.node.ts";

/** A file that is taken for an image, or was left out. */
export interface FoundFile {
  readonly path: string;
  /** Below the directory, with `/` between its parts, in Unicode's normal form C, as every system should see it. */
  readonly name: string;
}

export interface LeftOut extends FoundFile {
  /** As a part of a sentence: "hidden". */
  readonly reason: string;
}

export interface Listing {
  /** In the order of their names. */
  readonly images: readonly FoundFile[];
  readonly leftOut: readonly LeftOut[];
}

const endings = new Set(".png .jpg .jpeg .jpe .jfif .webp .gif .tif .tiff .avif".split(" "));
/** Folders that programs put beside images and that hold copies or none. */
const foreignFolders = new Set(["__MACOSX", "@eaDir", "__pycache__", "node_modules", "lost+found"]);
/** What `unnoise sample` writes where it is given no name. */
const ownSamples = /^samples-\d+(\.(png|gif))?$/;

/**
 * All images of a directory and of those below it, told by the endings of their names, and by their content where a name
 * has none. Links are followed, each folder is read once.
 *
 * @throws Error of one line naming the directory if it cannot be listed
 */
export async function listImages(directory: string): Promise<Listing> {
  const walk = new Walk();
  await walk.run({ path: directory, name: "" });
  return { images: walk.images.toSorted(byName), leftOut: walk.leftOut.toSorted(byName) };
}

class Walk {
  readonly images: FoundFile[] = [];
  readonly leftOut: LeftOut[] = [];
  readonly #folders: FoundFile[] = [];
  /** Links to folders wait until all others are read, so that these keep their own names. */
  readonly #links: FoundFile[] = [];
  readonly #seen = new Set<string>();

  async run(directory: FoundFile): Promise<void> {
    await this.#enter(directory);
    for (;;) {
      const folder = this.#folders.pop();
      const link = folder ?? this.#links.shift();
      if (link === undefined) return;
      if (folder !== undefined) await this.#list(folder);
      else if (!(await this.#enter(link)))
        this.leftOut.push({ ...link, reason: "a link to a folder that is read already" });
    }
  }

  async #list(folder: FoundFile): Promise<void> {
    let entries: Dirent[];
    try {
      entries = await readdir(folder.path, { withFileTypes: true });
    } catch (error) {
      throw fileError(folder.path, "list", error);
    }
    for (const entry of entries.toSorted(byName)) {
      const { name } = entry;
      const below = (folder.name === "" ? name : `${folder.name}/${name}`).normalize("NFC");
      await this.#look({ path: join(folder.path, name), name: below }, entry);
    }
  }

  async #look(file: FoundFile, entry: Dirent): Promise<void> {
    const leave = (reason: string): void => void this.leftOut.push({ ...file, reason });
    const { name } = entry;
    if (name.startsWith(".")) return leave("hidden");
    if (ownSamples.test(name)) return leave("drawn by unnoise");
    const status = entry.isSymbolicLink() ? await stat(file.path).catch((error: unknown) => error) : entry;
    if (status instanceof Error) {
      return leave(errorCode(status) === "ELOOP" ? "a link to itself" : "a link to nothing");
    }
    const kind = status as Pick<Dirent, "isDirectory" | "isFile">;
    if (kind.isDirectory()) {
      if (foreignFolders.has(name)) return leave("no folder of images");
      if (isRun(file.path)) return leave("a run of unnoise");
      if (entry.isSymbolicLink()) this.#links.push(file);
      else await this.#enter(file);
      return;
    }
    if (!kind.isFile()) return leave("no regular file");
    if (await isImage(file.path, name)) this.images.push(file);
    else leave(`another kind of file${extname(name) === "" ? "" : ` (${extname(name)})`}`);
  }

  /** @returns false if the folder was seen before, by another way */
  async #enter(folder: FoundFile): Promise<boolean> {
    const real = await realpath(folder.path).catch((error: unknown) => {
      throw fileError(folder.path, "list", error);
    });
    if (this.#seen.has(real)) return false;
    this.#seen.add(real);
    this.#folders.push(folder);
    return true;
  }
}

/** Whether `unnoise train` put its files there, samples among them. */
function isRun(directory: string): boolean {
  return existsSync(join(directory, "config.json")) && existsSync(join(directory, "checkpoints"));
}

async function isImage(path: string, name: string): Promise<boolean> {
  const ending = extname(name).toLowerCase();
  if (ending !== "") return endings.has(ending);
  const start = await withRegularFile(path, async (file) => {
    return readStart(file, Math.min(KIND_BYTES, file.bytes));
  }).catch(() => undefined);
  const kind = start && contentKind(start);
  return kind !== undefined && isPicture(kind);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
